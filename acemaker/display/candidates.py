"""Candidates in the plane of their leading projections, and what each would contribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acemaker.display.picture import Picture

if TYPE_CHECKING:
    from acemaker.results import Selection


def candidates_figure(selection: Selection) -> Picture:
    """Draw the candidates, the selected ones marked with their gain.

    Parameters
    ----------
    selection
        What was chosen, and from what.

    Returns
    -------
    Picture
    """
    made = selection.candidates
    picture = Picture(figsize=(8, 3.4), layout="constrained")
    plane, bars = picture.subplots(1, 2, width_ratios=[1.3, 1])
    chosen = np.array(selection.selected, dtype=int)
    dots = plane.scatter(*made.map.T, c=made.gamma_max, cmap="viridis", s=40, zorder=2)
    plane.scatter(*made.map[chosen].T, s=150, facecolors="none", edgecolors="crimson", linewidths=1.8, zorder=3)
    for index in range(len(made.structures)):
        plane.annotate(str(index), made.map[index], xytext=(5, 4), textcoords="offset points", fontsize=8)
    plane.set_xlabel("leading B-projection component")
    plane.set_ylabel("second component")
    plane.set_title("circled: selected; 0: the halted structure", fontsize=9)
    picture.colorbar(dots, ax=plane, label="largest gamma")
    order = [*selection.selected, *selection.reserve]
    heights = np.nan_to_num(selection.gains[order])
    bars.bar(range(len(order)), heights, color=["crimson" if i in chosen else "0.7" for i in order])
    bars.set_xticks(range(len(order)), [str(index) for index in order], fontsize=8)
    bars.set_xlabel("candidate")
    bars.set_ylabel("gain in ln |det|")
    return picture
