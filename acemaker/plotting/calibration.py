"""Errors against gamma with the thresholds, and what each threshold would miss and suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acemaker.analysis.detection import curves
from acemaker.analysis.gamma_calibration import GammaTrust
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import even_legend, plain_log_ticks
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from acemaker.analysis.gamma_calibration import GammaTrust

LEAST_ERROR = 1.0
"""meV/Å; smaller ones are drawn there."""


@draws(GammaTrust)
def gamma_figure(trust: GammaTrust) -> PngFigure:
    """Draw every atom's force error against its gamma, and the rates of misses and false alarms.

    Parameters
    ----------
    trust
        What was judged.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.8, 3.8), layout="constrained")
    against, rates = picture.subplots(1, 2)
    level, last = trust.recommend(), trust.potential
    wrong, latest = trust.wrong, trust.generation == last
    missed = wrong & (trust.gamma <= trust.threshold)
    groups = [(latest & ~wrong, "C0", 2, f"generation {last}"), (missed, "crimson", 5, f"misses ({int(missed.sum())})")]
    if not latest.all():
        groups.insert(0, (~latest & ~missed, "0.7", 2, "earlier generations"))
    groups.insert(-1, (latest & wrong & ~missed, "C0", 5, ""))
    for these, colour, size, name in groups:
        x, y = trust.gamma[these], np.maximum(trust.error[these], LEAST_ERROR)
        against.plot(x, y, ".", ms=size, alpha=0.5, color=colour, label=name or "_", rasterized=True, mew=0)
    against.set_yscale("log")
    against.set_xlabel("gamma")
    against.set_ylabel("force error / (meV/Å)")
    against.axhline(trust.tolerance, color="k", ls=":", lw=0.9, label=f"tolerance ({trust.tolerance:g} meV/Å)")
    thresholds = np.geomspace(max(np.quantile(trust.gamma, 0.02), 1e-3), max(trust.gamma.max(), 1.0) * 1.05, 300)
    misses, alarms = curves(trust.gamma, wrong, thresholds)
    rates.plot(thresholds, 100 * misses, color="crimson", label="misses, of the wrong atoms")
    rates.plot(thresholds, 100 * alarms, color="C0", label="false alarms, of the right atoms")
    rates.axhline(100 * trust.miss_rate, color="0.6", ls=":", lw=0.9, label=f"misses allowed ({trust.miss_rate:.0%})")
    rates.set_ylim(-2, 102)
    rates.set_xlabel("threshold of gamma")
    rates.set_ylabel("share of atoms / %")
    for axes in (against, rates):
        axes.set_xscale("log")
        axes.set_xlim(thresholds[0], thresholds[-1])
        _thresholds(axes, trust.threshold, level)
        plain_log_ticks(axes.xaxis)
    plain_log_ticks(against.yaxis)
    against.tick_params(axis="both", labelsize=8)
    rates.tick_params(axis="both", labelsize=8)
    even_legend(against, fontsize=7, loc="lower right")
    rates.legend(fontsize=7, loc="best")
    return picture


def _thresholds(axes: Axes, used: float, recommended: float | None) -> None:
    axes.axvline(used, color="k", ls="--", lw=0.9, label=f"halt threshold ({used:g})")
    if recommended is not None:
        axes.axvline(recommended, color="C2", ls="-", lw=1.2, label=f"recommended ({recommended:g})")
