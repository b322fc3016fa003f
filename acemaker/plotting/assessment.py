"""Figure of an assessment: the measured error on each probe, and the target."""

from __future__ import annotations

import numpy as np

from acemaker.analysis.assessment import Assessment
from acemaker.formatting.figures import draws
from acemaker.plotting.png_figure import PngFigure
from acemaker.plotting.scale import THRESHOLD_COLOR


@draws(Assessment)
def assessment_figure(assessment: Assessment) -> PngFigure:
    """Draw the force error on each probe against the MD step, with its scatter and the target.

    Parameters
    ----------
    assessment
        The measured errors.

    Returns
    -------
    PngFigure
    """
    picture = PngFigure(figsize=(7, 3), layout="constrained")
    axes = picture.subplots()
    for walker in sorted({probe.walker for probe in assessment.probes}):
        own = sorted((p for p in assessment.probes if p.walker == walker), key=lambda probe: probe.step)
        color, of = f"C{walker - 1}", f", walker {walker}" if len(assessment.steps) > 1 else ""
        steps = [probe.step for probe in own]
        errors = np.array([probe.force_error for probe in own])
        axes.plot(steps, errors, "o", color=color, ms=9, mfc="none", label=f"potential at that time{of}")
        if all(probe.left_out is not None for probe in own):
            latest = [probe.latest for probe in own]
            axes.plot(steps, latest, "o-", color=color, lw=1, label=f"latest potential, without the probe{of}")
    if assessment.target is not None:
        axes.axhline(assessment.target, color=THRESHOLD_COLOR, ls="--", lw=0.9, label="target")
    if not assessment.probes:
        axes.text(0.5, 0.5, "no probe yet", transform=axes.transAxes, ha="center", va="center")
    axes.set_xlim(0, 1.04 * max(assessment.steps))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("MD step")
    axes.set_ylabel("force error / (meV/Å)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
    return picture
