"""Figure of a potential's energies at short distances."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from acemaker.analysis.short_range import ShortRange
from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure
from acemaker.potentials.holes import holes_in
from acemaker.potentials.scans import KINDS, Scan

COLORS = {"dimer": "C0", "push": "C1", "compression": "C0"}

COLUMNS = 3


@draws(ShortRange)
def short_range_figure(short_range: ShortRange) -> PngFigure:
    """Draw energy and gamma of each pair and of the compressed cell, with the trained range and the holes.

    Parameters
    ----------
    short_range
        The scans to draw.

    Returns
    -------
    PngFigure
    """
    groups: dict[tuple[str, ...], list[Scan]] = {}
    for scan in short_range.scans:
        groups.setdefault(scan.elements, []).append(scan)
    columns = min(COLUMNS, len(groups))
    rows = math.ceil(len(groups) / columns)
    picture = PngFigure(figsize=(max(4.0, 3.3 * columns), 2.9 * rows + 0.3), layout="constrained")
    all_axes = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes, scans in zip(all_axes, groups.values(), strict=False):
        _draw(axes, scans)
    for axes in all_axes[len(groups) :]:
        axes.set_axis_off()
    picture.suptitle("solid: energy, dotted: gamma; green: trained distances; red: holes", fontsize=9)
    return picture


def _draw(axes: Axes, scans: list[Scan]) -> None:
    is_cell = scans[0].kind == "compression"
    grades = axes.twinx()
    for scan in scans:
        color = COLORS[scan.kind]
        axes.plot(scan.lengths, scan.energies, color=color, lw=1.5, label=KINDS[scan.kind])
        if np.isfinite(scan.gamma).any():
            grades.plot(scan.lengths, np.where(scan.gamma > 0, scan.gamma, np.nan), ":", color=color, lw=1.2)
        for hole in holes_in(scan):
            axes.axvspan(hole.end, hole.onset, color="C3", alpha=0.25, lw=0)
    axes.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    axes.set_yscale("symlog", linthresh=0.1 if is_cell else 1.0)
    grades.set_yscale("log")
    axes.margins(x=0.02)
    if is_cell:
        axes.set_title("compressed cell", fontsize=9)
        axes.set_xlabel("lengths / lengths of the start", fontsize=8)
        axes.set_ylabel("energy / (eV/atom)", fontsize=8)
    else:
        trained = scans[0].trained
        if not math.isnan(trained):
            axes.axvspan(trained, max(scan.lengths[0] for scan in scans), color="C2", alpha=0.12, lw=0)
        axes.set_title("–".join(scans[0].elements), fontsize=9)
        axes.set_xlabel("distance / Å", fontsize=8)
        axes.set_ylabel("energy / eV", fontsize=8)
        axes.legend(fontsize=7)
    grades.set_ylabel("gamma", fontsize=8)
    for part in (axes, grades):
        part.tick_params(labelsize=7)
