"""Figure of convergence: the held-out error of each generation, and the steps without a halt."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.convergence import Convergence
from acemaker.formatting.figures import draws
from acemaker.formatting.summary import number
from acemaker.plotting.png_figure import PngFigure


@draws(Convergence)
def convergence_figure(convergence: Convergence) -> PngFigure:
    """Draw the held-out force error by generation, and the steps of each walker since its last halt.

    Parameters
    ----------
    convergence
        The criteria and the values.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(8, 3), layout="constrained")
    errors, steps = picture.subplots(1, 2, width_ratios=[1.4, 1])
    values = np.array([np.nan if error is None else error for error in convergence.errors], dtype=float)
    errors.plot(np.arange(1, len(values) + 1), values, "o-", color="C0", ms=4, lw=1)
    latest = values[-convergence.rule.plateau_generations :]
    if len(latest) == convergence.rule.plateau_generations and np.isfinite(latest).all():
        limit = latest.min() * (1 + convergence.rule.plateau_tolerance)
        errors.axhspan(latest.min(), limit, color="0.88", zorder=0, label="range of a plateau")
        errors.legend(fontsize=8)
    errors.set_ylim(bottom=0)
    errors.xaxis.get_major_locator().set_params(integer=True)
    errors.set_xlabel("generation")
    errors.set_ylabel("held-out force error / (meV/Å)")
    if convergence.typical_force:
        errors.set_title(f"rms of the forces: {number(convergence.typical_force)} meV/Å", fontsize=9, loc="left")
    walkers = np.arange(1, len(convergence.quiet) + 1)
    steps.bar(walkers, convergence.quiet, color="C0", width=0.6)
    steps.axhline(convergence.rule.quiet_steps, color="k", ls="--", lw=0.9, label="required")
    steps.set_xticks(walkers if len(walkers) <= 12 else [1, len(walkers)])
    steps.set_xlabel("walker")
    steps.set_ylabel("MD steps since the last halt")
    steps.legend(fontsize=8)
    return picture
