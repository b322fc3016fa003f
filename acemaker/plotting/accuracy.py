"""Errors along an independent trajectory, and gamma against the true error."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.accuracy import Verdict
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import even_legend, plain_log_ticks
from acemaker.plotting.png_figure import PngFigure


@draws(Verdict)
def verdict_figure(verdict: Verdict) -> PngFigure:
    """Draw force error and gamma along the truth, and every atom's gamma against its error.

    Parameters
    ----------
    verdict
        The verdict.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.4, 3.6), layout="constrained")
    along, against = picture.subplots(1, 2)
    new = np.flatnonzero(np.diff(verdict.steps) <= 0) + 1  # of several trajectories, one after the other
    parts = np.split(np.arange(len(verdict.steps)), new)
    for part in parts:
        along.plot(verdict.steps[part], verdict.force_rmse[part], color="C0", lw=1.2)
    along.set_xlabel("step of the independent trajectory")
    along.set_ylabel("force RMSE / (meV/Å)", color="C0")
    along.set_ylim(bottom=0)
    gamma = along.twinx()
    for part in parts:
        gamma.plot(verdict.steps[part], verdict.gamma_max[part], color="C1", lw=1.2)
    gamma.set_ylabel("largest gamma", color="C1")
    gamma.set_ylim(bottom=0)
    missed = (verdict.atom_error > verdict.tolerance) & (verdict.atom_gamma <= verdict.threshold)
    for these, colour, name in ((~missed, "0.5", "atoms"), (missed, "crimson", f"misses ({verdict.misses})")):
        x, y = verdict.atom_gamma[these], np.maximum(verdict.atom_error[these], 1e-2)
        against.plot(x, y, ".", ms=2 if colour == "0.5" else 5, alpha=0.4, color=colour, label=name, rasterized=True)
    against.set_xscale("log")
    against.set_yscale("log")
    for axis in (against.xaxis, against.yaxis):
        plain_log_ticks(axis)
    against.axvline(verdict.threshold, color="k", ls="--", lw=0.9, label=f"halt threshold ({verdict.threshold:g})")
    against.axhline(verdict.tolerance, color="k", ls=":", lw=0.9, label=f"tolerance ({verdict.tolerance:g} meV/Å)")
    against.set_xlabel("gamma")
    against.set_ylabel("force error / (meV/Å)")
    even_legend(against, fontsize=7, loc="lower right")
    return picture
