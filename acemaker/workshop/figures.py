"""The workshop's own pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from acemaker.workshop.copper import Graded
    from acemaker.workshop.plane import Plane

FLOOR = 1.0
"""meV/Å, error below which points are drawn at the edge of a logarithmic axis."""


def plane_figure(plane: Plane, active: bool) -> PngFigure:
    """Draw the plane of two basis functions.

    Parameters
    ----------
    plane
        The environments.
    active
        Whether to draw the active set, the parallelogram and the lines of gamma 1, 2 and 5.

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
        row = 25  # labels stand where lines cross a height near the lower edge, away from points
        ends = [np.flatnonzero(gamma[row] <= level) for level in levels]
        places = [(first[row, end[-1]], second[row, 0]) for end in ends if len(end) and end[-1] < 235]
        axes.clabel(lines, fmt=lambda value: f"gamma {value:g}", fontsize=8, manual=places)
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
    """Draw the largest gamma and the largest force error of some structures side by side.

    Parameters
    ----------
    graded
        By name.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7.6, 2.8), layout="constrained")
    left, right = picture.subplots(1, 2, sharey=True)
    names = list(graded)
    gamma = [float(one.gamma.max()) for one in graded.values()]
    error = [float(one.error.max()) for one in graded.values()]
    for axes, values, colour, form in ((left, gamma, "C0", "{:.2g}"), (right, error, "C3", "{:.0f}")):
        bars = axes.barh(names, values, color=colour, alpha=0.8)
        axes.bar_label(bars, labels=[form.format(value) for value in values], padding=3, fontsize=8)
        axes.margins(x=0.15)
    left.set_xscale("log")
    left.set_xlim(0.5, 3 * max(gamma))
    plain_log_ticks(left.xaxis)
    left.axvline(1, color="k", lw=0.9, ls="--")
    left.set_xlabel("largest gamma (dashed: 1, the edge)")
    right.set_xlabel("largest true force error / (meV/Å)")
    left.invert_yaxis()
    return picture


def scans_figure(scans: Mapping[str, tuple[Sequence[float], Sequence[Graded]]]) -> PngFigure:
    """Draw gamma and error along paths that lead out of the training set.

    Parameters
    ----------
    scans
        Values of what is changed, and what was found there, by the label of the horizontal axis.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.0, 3.0), layout="constrained")
    for axes, (label, (values, graded)) in zip(
        np.atleast_1d(picture.subplots(1, len(scans))), scans.items(), strict=True
    ):
        axes.plot(values, [one.gamma.max() for one in graded], "o-", ms=3, color="C0")
        axes.axhline(1, color="k", ls="--", lw=0.9)
        axes.set_yscale("log")
        plain_log_ticks(axes.yaxis)
        axes.set_ylabel("largest gamma", color="C0")
        axes.set_xlabel(label)
        error = axes.twinx()
        error.plot(values, [one.error.max() for one in graded], "s:", ms=3, color="C3")
        error.set_yscale("symlog", linthresh=10)
        error.set_ylim(bottom=0)
        error.set_ylabel("largest force error / (meV/Å)", color="C3")
    return picture


def gamma_error_figure(graded: Graded, *, threshold: float, tolerance: float) -> PngFigure:
    """Draw every atom's gamma against its true force error, and count the quarters.

    Parameters
    ----------
    graded
        The atoms.
    threshold
        Gamma above which an atom counts as seen.
    tolerance
        meV/Å, above which a force counts as wrong.

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
    axes.axvline(threshold, color="k", ls="--", lw=0.9)
    axes.axhline(tolerance, color="k", ls=":", lw=0.9)
    wrong, seen = graded.error > tolerance, graded.gamma > threshold
    for here, x, y, name in (
        (wrong & ~seen, 0.02, 0.97, "wrong and not seen (misses)"),
        (wrong & seen, 0.98, 0.97, "wrong and seen"),
        (~wrong & ~seen, 0.02, 0.03, "right and not suspected"),
        (~wrong & seen, 0.98, 0.03, "right, but suspected"),
    ):
        axes.text(
            x,
            y,
            f"{name}: {int(here.sum())}",
            transform=axes.transAxes,
            fontsize=8,
            ha="left" if x < 0.5 else "right",
            va="bottom" if y < 0.5 else "top",
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"},
        )
    axes.set_xlabel(f"gamma (dashed: {threshold:g})")
    axes.set_ylabel(f"true force error / (meV/Å) (dotted: {tolerance:g})")
    return picture


def residuals_figure(residuals: Sequence[float], *, highlight: int | None = None) -> PngFigure:
    """Draw the force residual of each label.

    Parameters
    ----------
    residuals
        meV/Å.
    highlight
        A label to be marked.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 2.8), layout="constrained")
    axes = picture.subplots()
    colours = ["C3" if number == highlight else "C0" for number in range(len(residuals))]
    axes.bar(range(len(residuals)), residuals, color=colours, alpha=0.8)
    axes.set_xticks(range(len(residuals)))
    axes.set_xlabel("label")
    axes.set_ylabel("force residual / (meV/Å)")
    return picture


def seam_figure(distances: np.ndarray, error: np.ndarray, core: np.ndarray, *, limit: float) -> PngFigure:
    """Draw the force error of a small cell's atoms against their distance from its centre.

    Parameters
    ----------
    distances : ndarray, shape (n_atoms,)
        Å.
    error : ndarray, shape (n_atoms,)
        meV/Å, against the large structure.
    core : ndarray of bool, shape (n_atoms,)
        Atoms that count.
    limit
        meV/Å, drawn as a line.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(6.4, 3.6), layout="constrained")
    axes = picture.subplots()
    for these, colour, name in ((core, "C0", "core: counts"), (~core, "C3", "seam: does not count")):
        axes.plot(distances[these], np.maximum(error[these], FLOOR), "o", ms=5, alpha=0.7, color=colour, label=name)
    axes.axhline(limit, color="k", ls=":", lw=0.9)
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    axes.set_xlabel("distance from the centre of the small cell / Å")
    axes.set_ylabel(f"true force error / (meV/Å) (dotted: {limit:g})")
    axes.legend(fontsize=8, loc="lower right")
    return picture
