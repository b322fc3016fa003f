"""Figure of a calibration of gamma: errors against gamma, and the rates of misses and false alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acemaker.analysis.calibration import GammaCalibration
from acemaker.analysis.detection import curves
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import even_legend, plain_log_ticks, threshold_lines, tolerance_line
from acemaker.plotting.png_figure import PngFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_ERROR = 1.0
"""meV/Å; smaller errors are drawn at this value."""


@draws(GammaCalibration)
def calibration_figure(calibration: GammaCalibration) -> PngFigure:
    """Draw every atom's force error against its gamma, and the rates of misses and false alarms.

    Parameters
    ----------
    calibration
        The calibration to draw.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8.8, 3.8), layout="constrained")
    against, rates = picture.subplots(1, 2)
    recommended, last = calibration.recommend(), calibration.potential
    wrong, latest = calibration.wrong, calibration.generation == last
    missed = wrong & (calibration.gamma <= calibration.threshold)
    groups = [(latest & ~wrong, "C0", 2, f"generation {last}"), (missed, "crimson", 5, f"misses ({int(missed.sum())})")]
    if not latest.all():
        groups.insert(0, (~latest & ~missed, "0.7", 2, "earlier generations"))
    groups.insert(-1, (latest & wrong & ~missed, "C0", 5, ""))
    for group, color, size, name in groups:
        x, y = calibration.gamma[group], np.maximum(calibration.error[group], LEAST_ERROR)
        against.plot(x, y, ".", ms=size, alpha=0.5, color=color, label=name or "_", rasterized=True, mew=0)
    against.set_yscale("log")
    against.set_xlabel("gamma")
    against.set_ylabel("force error / (meV/Å)")
    tolerance_line(against, calibration.tolerance)
    thresholds = np.geomspace(
        max(np.quantile(calibration.gamma, 0.02), 1e-3), max(calibration.gamma.max(), 1.0) * 1.05, 300
    )
    misses, alarms = curves(calibration.gamma, wrong, thresholds)
    rates.plot(thresholds, 100 * misses, color="crimson", label="misses, of the wrong atoms")
    rates.plot(thresholds, 100 * alarms, color="C0", label="false alarms, of the right atoms")
    rates.axhline(
        100 * calibration.miss_rate, color="0.6", ls=":", lw=0.9, label=f"misses allowed ({calibration.miss_rate:.0%})"
    )
    rates.set_ylim(-2, 102)
    rates.set_xlabel("threshold of gamma")
    rates.set_ylabel("share of atoms / %")
    for axes in (against, rates):
        axes.set_xscale("log")
        axes.set_xlim(thresholds[0], thresholds[-1])
        _threshold_lines(axes, calibration.threshold, recommended)
        plain_log_ticks(axes.xaxis)
    plain_log_ticks(against.yaxis)
    against.tick_params(axis="both", labelsize=8)
    rates.tick_params(axis="both", labelsize=8)
    even_legend(against, fontsize=7, loc="lower right")
    rates.legend(fontsize=7, loc="best")
    return picture


def _threshold_lines(axes: Axes, used: float, recommended: float | None) -> None:
    threshold_lines(axes, {"halt": used}, vertical=True, label="halt threshold ({value:g})")
    if recommended is not None:
        axes.axvline(recommended, color="C2", ls="-", lw=1.2, label=f"recommended ({recommended:g})")
