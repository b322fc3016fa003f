"""Figure of predicted force errors: against the true ones, or by structure."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.force_errors import ForceErrors
from acemaker.formatting.figures import draws
from acemaker.plotting.axes import even_legend, plain_log_ticks
from acemaker.plotting.png_figure import PngFigure
from acemaker.potentials.force_error import RADIUS

LEAST_ERROR = 0.1
"""meV/Å; smaller errors are drawn at this value."""


@draws(ForceErrors)
def force_errors_figure(errors: ForceErrors) -> PngFigure:
    """Draw the true error of every atom against the predicted one; without true errors, those of each structure.

    Parameters
    ----------
    errors
        The predicted errors.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(5.2, 4.2), layout="constrained")
    axes = picture.subplots()
    finite = np.isfinite(errors.predicted)
    compared = finite & ~np.isnan(errors.actual)
    if not compared.any():
        largest = np.where(np.isfinite(errors.largest), errors.largest, np.nan)
        axes.plot(np.arange(len(largest)), RADIUS * largest, "o-", ms=3, color="C1", label="radius of 95 %")
        axes.plot(np.arange(len(largest)), largest, "o-", ms=3, color="C0", label="predicted error")
        axes.set_xlabel("structure")
        axes.set_ylabel(f"largest predicted force error / ({errors.unit})")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)
        return picture
    predicted = np.maximum(errors.predicted[compared], LEAST_ERROR)
    actual = np.maximum(errors.actual[compared], LEAST_ERROR)
    inside = actual <= RADIUS * predicted
    for group, color, name in ((inside, "C0", "inside of the radius"), (~inside, "crimson", "outside")):
        share = f"{name}: {group.mean():.1%}"
        axes.plot(predicted[group], actual[group], ".", ms=3, alpha=0.4, color=color, label=share, rasterized=True)
    line = np.array([predicted.min() / 1.2, predicted.max() * 1.2])
    axes.plot(line, line, color="0.5", lw=0.9, label="true = predicted")
    axes.plot(line, RADIUS * line, color="0.5", ls="--", lw=0.9, label="radius of 95 %")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        plain_log_ticks(axis)
    axes.set_xlabel(f"predicted force error / ({errors.unit})")
    axes.set_ylabel(f"true force error / ({errors.unit})")
    even_legend(axes, fontsize=7, loc="lower right")
    return picture
