"""Figure of a selection: candidates in the plane of their leading projections, and the gain of each."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from acemaker.errors import StructureError
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import COLOR_MAP, scale_with
from acemaker.results import Candidates, Selection

SHOWN = "#cfe3ff"
"""Color of the candidate that is shown; it does not occur in the color map of gamma."""

NEAR = 0.06
"""Distance of two points, relative to the size of the plane, below which their numbers may overlap."""


@draws(Candidates)
def candidate_plane_figure(candidates: Candidates) -> PngFigure:
    """Draw the candidates in the plane of their leading projections, colored by their largest gamma."""
    picture = PngFigure(figsize=(5.4, 3.6), layout="constrained")
    axes = picture.subplots()
    dots = _plane(axes, candidates)
    axes.set_title("0: the halted structure" if candidates.halt_number else "initial structures", fontsize=9)
    bar = picture.colorbar(dots, ax=axes, label="largest gamma", extend="both")
    plain_log_ticks(bar.ax.yaxis)
    return picture


@draws(Selection)
def candidates_figure(selection: Selection, shown: int | None = None) -> PngFigure:
    """Draw the candidates with the selected ones marked, and the gain of each.

    Parameters
    ----------
    selection
        The selection to draw.
    shown
        Number of a candidate to highlight.

    Returns
    -------
    PngFigure

    Raises
    ------
    StructureError
        If there is no such candidate.
    """
    candidates = selection.candidates
    n_candidates = len(candidates.structures)
    if shown is not None and not 0 <= shown < n_candidates:
        raise StructureError(f"candidates are numbered 0 to {n_candidates - 1}, there is no candidate {shown}")
    picture = PngFigure(figsize=(8, 3.4), layout="constrained")
    plane, bars = picture.subplots(1, 2, width_ratios=[1.3, 1])
    selected = np.array(selection.selected, dtype=int)
    dots = _plane(plane, candidates)
    plane.scatter(*candidates.map[selected].T, s=150, facecolors="none", edgecolors="crimson", linewidths=1.8, zorder=4)
    title = ["circled: selected", "0: the halted structure"]
    if shown is not None:
        plane.scatter(
            *candidates.map[[shown]].T, s=420, color=SHOWN, marker="s", edgecolors="black", linewidths=1.4, zorder=2
        )
        title.append(f"square: candidate {shown}, shown")
    plane.set_title("; ".join(title), fontsize=9)
    bar = picture.colorbar(dots, ax=plane, label="largest gamma", extend="both")
    plain_log_ticks(bar.ax.yaxis)
    order = [*selection.selected, *selection.reserve]
    heights = np.nan_to_num(selection.gains[order])
    drawn = bars.bar(range(len(order)), heights, color=["crimson" if index in selected else "0.7" for index in order])
    if shown in order:
        drawn[order.index(shown)].set(edgecolor="black", linewidth=2)
    for tick, index in zip(bars.set_xticks(range(len(order)), list(map(str, order)), fontsize=8), order, strict=True):
        if index == shown:  # a gain of zero has no visible bar
            tick.label1.set(weight="bold", backgroundcolor=SHOWN)
    bars.set_xlabel("candidate")
    bars.set_ylabel("gain in ln |det|")
    return picture


def _plane(axes: Axes, candidates: Candidates) -> PathCollection:
    """Draw the candidates as numbered points; return the points, for a color bar."""
    scale = scale_with(candidates.thresholds)
    # the colors of structures, so that a point has the color of its worst atom; gray if gamma is unknown
    dots = axes.scatter(
        candidates.map[:, 0],
        candidates.map[:, 1],
        c=np.clip(candidates.gamma_max, scale.low, scale.high),
        norm=scale.norm,
        cmap=colormaps[COLOR_MAP].with_extremes(bad="0.6"),
        plotnonfinite=True,
        s=46,
        edgecolors="0.25",
        linewidths=0.5,
        zorder=3,
    )
    axes.margins(0.12)
    spread = np.ptp(candidates.map, axis=0)
    offsets = _offsets(candidates.map / np.maximum(spread, 1e-12))
    for index, (point, offset) in enumerate(zip(candidates.map, offsets, strict=True)):
        alignment = "left" if offset[0] > 0 else "right"
        axes.annotate(
            str(index), tuple(point), xytext=offset, ha=alignment, textcoords="offset points", fontsize=8, zorder=5
        )
    if spread[1] < 1e-6 * spread[0]:  # two candidates are on a line: the second component is rounding
        axes.set_ylim(-spread[0] / 4, spread[0] / 4)
    axes.set_xlabel("leading B-projection component")
    axes.set_ylabel("second component")
    return dots


def _offsets(points: np.ndarray) -> list[tuple[int, int]]:
    """Return the offset of each point's number, to different corners for points that are close to each other."""
    corners = ((6, 5), (6, -11), (-6, 5), (-6, -11))
    counts = [int((np.abs(points[:index] - point).max(axis=1) < NEAR).sum()) for index, point in enumerate(points)]
    return [corners[count % len(corners)] for count in counts]
