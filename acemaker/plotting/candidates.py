"""Candidates in the plane of their leading projections, and what each would contribute."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

from acemaker.errors import StructureError
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import COLOUR_MAP, scale_with
from acemaker.results import Selection

SHOWN = "#cfe3ff"
"""Of the candidate that is shown: none of gamma's colours."""

NEAR = 0.06
"""Share of the plane within which two points have numbers that may cover each other."""


@draws(Selection)
def candidates_figure(selection: Selection, shown: int | None = None) -> PngFigure:
    """Draw the candidates, the selected ones marked with their gain.

    Parameters
    ----------
    selection
        What was chosen, and from what.
    shown
        A candidate to be pointed out.

    Returns
    -------
    PngFigure

    Raises
    ------
    StructureError
        If there is no such candidate.
    """
    made = selection.candidates
    n_made = len(made.structures)
    if shown is not None and not 0 <= shown < n_made:
        raise StructureError(f"candidates are numbered 0 to {n_made - 1}, there is no candidate {shown}")
    scale = scale_with(made.thresholds)
    picture = PngFigure(figsize=(8, 3.4), layout="constrained")
    plane, bars = picture.subplots(1, 2, width_ratios=[1.3, 1])
    chosen = np.array(selection.selected, dtype=int)
    # the colours of structures, so that a point has the colour of its worst atom; grey where nothing is known
    dots = plane.scatter(
        *made.map.T,
        c=np.clip(made.gamma_max, scale.low, scale.high),
        norm=scale.norm,
        cmap=colormaps[COLOUR_MAP].with_extremes(bad="0.6"),
        plotnonfinite=True,
        s=46,
        edgecolors="0.25",
        linewidths=0.5,
        zorder=3,
    )
    plane.scatter(*made.map[chosen].T, s=150, facecolors="none", edgecolors="crimson", linewidths=1.8, zorder=4)
    words = ["circled: selected", "0: the halted structure"]
    if shown is not None:
        plane.scatter(
            *made.map[[shown]].T, s=420, color=SHOWN, marker="s", edgecolors="black", linewidths=1.4, zorder=2
        )
        words.append(f"square: candidate {shown}, shown")
    plane.margins(0.12)
    spread = np.ptp(made.map, axis=0)
    for index, (place, offset) in enumerate(zip(made.map, _offsets(made.map / np.maximum(spread, 1e-12)), strict=True)):
        side = "left" if offset[0] > 0 else "right"
        how = {"textcoords": "offset points", "fontsize": 8, "zorder": 5}
        plane.annotate(str(index), place, xytext=offset, ha=side, **how)
    if spread[1] < 1e-6 * spread[0]:  # two candidates lie on a line: what is left is rounding
        plane.set_ylim(-spread[0] / 4, spread[0] / 4)
    plane.set_xlabel("leading B-projection component")
    plane.set_ylabel("second component")
    plane.set_title("; ".join(words), fontsize=9)
    bar = picture.colorbar(dots, ax=plane, label="largest gamma", extend="both")
    plain_log_ticks(bar.ax.yaxis)
    order = [*selection.selected, *selection.reserve]
    heights = np.nan_to_num(selection.gains[order])
    drawn = bars.bar(range(len(order)), heights, color=["crimson" if i in chosen else "0.7" for i in order])
    if shown in order:
        drawn[order.index(shown)].set(edgecolor="black", linewidth=2)
    for tick, index in zip(bars.set_xticks(range(len(order)), list(map(str, order)), fontsize=8), order, strict=True):
        if index == shown:  # a gain of zero has no bar to be seen
            tick.label1.set(weight="bold", backgroundcolor=SHOWN)
    bars.set_xlabel("candidate")
    bars.set_ylabel("gain in ln |det|")
    return picture


def _offsets(places: np.ndarray) -> list[tuple[int, int]]:
    """Put the number of a point to its other sides where others are near, so that numbers do not cover each other."""
    sides = ((6, 5), (6, -11), (-6, 5), (-6, -11))
    near = [int((np.abs(places[:index] - place).max(axis=1) < NEAR).sum()) for index, place in enumerate(places)]
    return [sides[count % len(sides)] for count in near]
