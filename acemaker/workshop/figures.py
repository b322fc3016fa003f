"""Figures of the workshop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from acemaker.plotting.axes import plain_log_ticks, threshold_lines, tolerance_line
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from acemaker.workshop.copper import Graded
    from acemaker.workshop.plane import Plane

FLOOR = 1.0
"""Error in meV/Å below which points are drawn at the edge of a logarithmic axis."""


def plane_figure(plane: Plane, active: bool) -> PngFigure:
    """Draw the plane of two basis functions.

    Parameters
    ----------
    plane
        The environments.
    active
        Whether to draw the active set, the parallelogram and the lines of gamma 1, 1.5, 2 and 3.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 4.0), layout="constrained")
    axes = picture.subplots()
    points = np.vstack([plane.trained, list(plane.strangers.values())])
    corners = np.vstack([points, [plane.active.sum(axis=0)]]) if active else points
    low, high = np.minimum(points.min(axis=0), 0) - 0.3, corners.max(axis=0) + 0.35
    if active:
        first, second = np.meshgrid(np.linspace(low[0], high[0], 240), np.linspace(low[1], high[1], 160))
        gamma = np.abs(np.stack([first, second], axis=-1) @ np.linalg.inv(plane.active)).max(axis=-1)
        axes.contourf(first, second, gamma, [0, 1], colors=["C0"], alpha=0.15)
        levels = [1, 1.5, 2, 3]
        lines = axes.contour(first, second, gamma, levels, colors="C0", linewidths=[1.8, 0.9, 0.9, 0.9])
        row = 25  # labels are placed near the lower edge, away from points
        ends = [np.flatnonzero(gamma[row] <= level) for level in levels]
        positions = [(first[row, end[-1]], second[row, 0]) for end in ends if len(end) and end[-1] < 235]
        axes.clabel(lines, fmt=lambda value: f"gamma {value:g}", fontsize=8, manual=positions)
        (x1, y1), (x2, y2) = plane.active
        axes.plot([x1, x1 + x2, x2], [y1, y1 + y2, y2], "--", color="C0", lw=1)
        for number, (x, y) in enumerate(plane.active, start=1):
            axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": "C0", "lw": 2})
            axes.annotate(f"a{number}", (x, y), (6, -14), textcoords="offset points", color="C0", fontsize=11)
    axes.plot(*plane.trained.T, "o", color="0.35", ms=5, label="trained")
    for name, point in plane.strangers.items():
        axes.plot(*point, "D", color="C3", ms=7)
        axes.annotate(name, point, (6, 6), textcoords="offset points", color="C3", fontsize=12, weight="bold")
    axes.plot([], [], "D", color="C3", label="not trained")
    axes.plot(0, 0, "+", color="k")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xlabel("first basis function B1 (dimensionless)")
    axes.set_ylabel("second basis function B2")
    axes.legend(fontsize=8, loc="upper right")
    return picture


def bars_figure(graded: Mapping[str, Graded]) -> PngFigure:
    """Draw the largest gamma and the largest force error of structures side by side.

    Parameters
    ----------
    graded
        Gamma and errors by name of the structure.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7.6, 2.8), layout="constrained")
    left, right = picture.subplots(1, 2, sharey=True)
    names = list(graded)
    gamma = [float(grades.gamma.max()) for grades in graded.values()]
    error = [float(grades.error.max()) for grades in graded.values()]
    for axes, values, color, form in ((left, gamma, "C0", "{:.2g}"), (right, error, "C3", "{:.0f}")):
        bars = axes.barh(names, values, color=color, alpha=0.8)
        axes.bar_label(bars, labels=[form.format(value) for value in values], padding=3, fontsize=8)
        axes.margins(x=0.15)
    left.set_xscale("log")
    left.set_xlim(0.5, 3 * max(gamma))
    plain_log_ticks(left.xaxis)
    threshold_lines(left, {"halt": 1}, vertical=True, label="_")
    left.set_xlabel("largest gamma (dashed: 1, the limit)")
    right.set_xlabel("largest force error / (meV/Å)")
    left.invert_yaxis()
    return picture


def scans_figure(scans: Mapping[str, tuple[Sequence[float], Sequence[Graded]]]) -> PngFigure:
    """Draw gamma and error along paths out of the training set.

    Parameters
    ----------
    scans
        Values of the varied quantity, and gamma and errors at these values, by the label of the horizontal axis.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.0, 3.0), layout="constrained")
    for axes, (label, (values, graded)) in zip(
        np.atleast_1d(picture.subplots(1, len(scans))), scans.items(), strict=True
    ):
        axes.plot(values, [grades.gamma.max() for grades in graded], "o-", ms=3, color="C0")
        threshold_lines(axes, {"halt": 1}, label="_")
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
        axes.set_ylabel("largest gamma", color="C0")
        axes.set_xlabel(label)
        error = axes.twinx()
        error.plot(values, [grades.error.max() for grades in graded], "s:", ms=3, color="C3")
        error.set_yscale("symlog", linthresh=10)
        error.set_ylim(bottom=0)
        error.set_ylabel("largest force error / (meV/Å)", color="C3")
    return picture


def gamma_error_figure(graded: Graded, *, threshold: float, tolerance: float) -> PngFigure:
    """Draw the gamma of every atom against its force error, and count the atoms in each quadrant.

    Parameters
    ----------
    graded
        Gamma and errors of the atoms.
    threshold
        Gamma above which an atom counts as detected.
    tolerance
        Force error in meV/Å above which a force counts as wrong.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 4.2), layout="constrained")
    axes = picture.subplots()
    gamma, error = graded.gamma, np.maximum(graded.error, FLOOR)
    missed = (graded.error > tolerance) & (graded.gamma <= threshold)
    axes.plot(gamma[~missed], error[~missed], ".", ms=3, alpha=0.4, color="0.5", rasterized=True)
    axes.plot(gamma[missed], error[missed], ".", ms=4, alpha=0.6, color="crimson", rasterized=True)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        plain_log_ticks(axis)
    threshold_lines(axes, {"halt": threshold}, vertical=True, label="_")
    tolerance_line(axes, tolerance)
    wrong, detected = graded.error > tolerance, graded.gamma > threshold
    for quadrant, x, y, name in (
        (wrong & ~detected, 0.02, 0.97, "wrong, not detected (misses)"),
        (wrong & detected, 0.98, 0.97, "wrong and detected"),
        (~wrong & ~detected, 0.02, 0.03, "right"),
        (~wrong & detected, 0.98, 0.03, "right, but flagged (false alarms)"),
    ):
        axes.text(
            x,
            y,
            f"{name}: {int(quadrant.sum())}",
            transform=axes.transAxes,
            fontsize=8,
            ha="left" if x < 0.5 else "right",
            va="bottom" if y < 0.5 else "top",
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"},
        )
    axes.set_xlabel(f"gamma (dashed: {threshold:g})")
    axes.set_ylabel(f"force error / (meV/Å) (dotted: {tolerance:g})")
    return picture


def residuals_figure(residuals: Sequence[float], *, highlight: int | None = None) -> PngFigure:
    """Draw the force residual of each label.

    Parameters
    ----------
    residuals
        Residuals in meV/Å.
    highlight
        Index of a label that is drawn in another color.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 2.8), layout="constrained")
    axes = picture.subplots()
    colors = ["C3" if number == highlight else "C0" for number in range(len(residuals))]
    axes.bar(range(len(residuals)), residuals, color=colors, alpha=0.8)
    axes.set_xticks(range(len(residuals)))
    axes.set_xlabel("label")
    axes.set_ylabel("force residual / (meV/Å)")
    return picture


def boundary_figure(distances: np.ndarray, error: np.ndarray, core: np.ndarray, *, limit: float) -> PngFigure:
    """Draw the force error of the atoms of a small cell against their distance from its center.

    Parameters
    ----------
    distances : ndarray, shape (n_atoms,)
        Distances in Å.
    error : ndarray, shape (n_atoms,)
        Errors relative to the large structure in meV/Å.
    core : ndarray of bool, shape (n_atoms,)
        Atoms of the core.
    limit
        Error in meV/Å that is drawn as a line.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 3.6), layout="constrained")
    axes = picture.subplots()
    for atoms, color, name in ((core, "C0", "core: used"), (~core, "C3", "boundary: not used")):
        axes.plot(distances[atoms], np.maximum(error[atoms], FLOOR), "o", ms=5, alpha=0.7, color=color, label=name)
    tolerance_line(axes, limit, label="_")
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    axes.set_xlabel("distance from the center of the small cell / Å")
    axes.set_ylabel(f"force error / (meV/Å) (dotted: {limit:g})")
    axes.legend(fontsize=8, loc="lower right")
    return picture
