"""Figure of an accuracy: errors along the reference trajectory, and gamma against the true error."""

from __future__ import annotations

import math

import numpy as np

from acemaker.analysis.accuracy import Accuracy
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import number
from acemaker.plotting.axes import even_legend, plain_log_ticks, threshold_lines, tolerance_line
from acemaker.plotting.png_figure import PngFigure


@draws(Accuracy)
def accuracy_figure(accuracy: Accuracy) -> PngFigure:
    """Draw force error and gamma along the reference trajectory, and every atom's gamma against its error.

    Parameters
    ----------
    accuracy
        The accuracy to draw.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.4, 3.6), layout="constrained")
    along, against = picture.subplots(1, 2)
    starts = np.flatnonzero(np.diff(accuracy.steps) <= 0) + 1  # several trajectories may follow one another
    parts = np.split(np.arange(len(accuracy.steps)), starts)
    for part in parts:
        along.plot(accuracy.steps[part], accuracy.force_rmse[part], color="C0", lw=1.2)
    along.set_xlabel("step of the independent trajectory")
    along.set_ylabel("force RMSE / (meV/Å)", color="C0")
    along.set_ylim(bottom=0)
    if not math.isnan(accuracy.force_rms):
        along.set_title(f"rms of the forces: {number(accuracy.force_rms)} meV/Å", fontsize=9, loc="left")
    gamma = along.twinx()
    for part in parts:
        gamma.plot(accuracy.steps[part], accuracy.gamma_max[part], color="C1", lw=1.2)
    gamma.set_ylabel("largest gamma", color="C1")
    gamma.set_ylim(bottom=0)
    missed = (accuracy.atom_error > accuracy.tolerance) & (accuracy.atom_gamma <= accuracy.threshold)
    for group, color, name in ((~missed, "0.5", "atoms"), (missed, "crimson", f"misses ({accuracy.misses})")):
        x, y = accuracy.atom_gamma[group], np.maximum(accuracy.atom_error[group], 1e-2)
        against.plot(x, y, ".", ms=2 if color == "0.5" else 5, alpha=0.4, color=color, label=name, rasterized=True)
    against.set_xscale("log")
    against.set_yscale("log")
    for axis in (against.xaxis, against.yaxis):
        plain_log_ticks(axis)
    threshold_lines(against, {"halt": accuracy.threshold}, vertical=True, label="halt threshold ({value:g})")
    tolerance_line(against, accuracy.tolerance)
    against.set_xlabel("gamma")
    against.set_ylabel("force error / (meV/Å)")
    even_legend(against, fontsize=7, loc="lower right")
    return picture
