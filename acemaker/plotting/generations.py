"""Figure of the difference between two generations on the labels of their campaign."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.generations import Difference
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import number
from acemaker.plotting.axes import plain_log_ticks
from acemaker.plotting.png_figure import PngFigure


@draws(Difference)
def difference_figure(difference: Difference) -> PngFigure:
    """Draw force error and largest gamma of both generations on every label.

    Parameters
    ----------
    difference
        The difference to draw.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7.6, 4.6), layout="constrained")
    errors, grades = picture.subplots(2, 1, sharex=True)
    numbers = np.arange(1, len(difference.forces) + 1)
    for axis, before, after in (
        (errors, difference.error_earlier, difference.error_later),
        (grades, difference.gamma_earlier, difference.gamma_later),
    ):
        axis.vlines(numbers, before, after, color="0.75", lw=1.2, zorder=1)
        earlier, later = difference.earlier.generation.number, difference.later.generation.number
        axis.plot(numbers, before, "o", mfc="none", color="C0", ms=6, label=f"generation {earlier}")
        axis.plot(numbers, after, "o", color="C1", ms=5, label=f"generation {later}")
        for generation, color in ((difference.earlier, "C0"), (difference.later, "C1")):
            axis.axvline(generation.n_structures + 0.5, color=color, lw=1, ls="--")
        axis.set_yscale("log")
        plain_log_ticks(axis.yaxis)
    errors.set_ylabel("force RMSE / (meV/Å)")
    grades.set_ylabel("largest gamma")
    grades.set_xlabel("label, oldest first")
    grades.xaxis.get_major_locator().set_params(integer=True)
    picture.legend(*errors.get_legend_handles_labels(), fontsize=8, loc="outside upper right", ncols=2)
    rms = difference.later.generation.force_rms
    beside = f"; rms of the forces: {number(rms)} meV/Å" if rms is not None else ""
    errors.set_title(f"dashed: last label that each was trained on{beside}", fontsize=9, loc="left")
    return picture
