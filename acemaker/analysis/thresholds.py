"""One recorded run under a row of halting thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.analysis.report_page import figure
from acemaker.analysis.what_if import WhatIf
from acemaker.formatting.figures import Picture
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number

ROW = 9
"""Thresholds in a row."""

FARTHEST = 5.0
"""In units of ``threshold_break``: a run that blew up must not leave the others a corner of the range."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Thresholds(Record):
    """What the what-if slider shows, where there is no slider: its picture, and a row of its positions.

    Attributes
    ----------
    recorded : WhatIf
        The run under its own rule.
    reviews : tuple of WhatIf
        The run under others, by ``threshold_call_dft``.
    """

    recorded: WhatIf
    reviews: tuple[WhatIf, ...]

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = tuple(
            (
                number(review.rule.threshold_call_dft),
                str(review.halts),
                number(review.labels),
                str(review.same_until),
            )
            for review in self.reviews
        )
        header = ("threshold_call_dft", "would halt", "labels, about", "the same up to step")
        return Summary("The recorded run under other thresholds", self.recorded.summary().items, Table(header, rows))

    def figure(self) -> Picture:
        """Draw the recorded gamma with the recorded rule."""
        return self.recorded.figure()

    def _repr_html_(self) -> str:
        return super()._repr_html_() + figure(self.figure(), "Recorded gamma and where the run halted")


def threshold_range(review: WhatIf) -> tuple[float, float]:
    """Find the thresholds that make a difference to a recorded run.

    Parameters
    ----------
    review
        The run under any rule.

    Returns
    -------
    low, high : float
        From the smallest recorded gamma, below which every check would halt, to the largest, above which none would;
        dimensionless. The rule's own threshold is always among them.
    """
    own = review.rule.threshold_call_dft
    gamma = np.concatenate([segment.timeline.gamma_max for segment in review.segments] or [np.zeros(0)])
    gamma = gamma[np.isfinite(gamma) & (gamma > 0)]
    low, high = (float(gamma.min()), float(gamma.max())) if len(gamma) else (own, own)
    return min(low, own / 2), max(min(high, FARTHEST * review.rule.threshold_break), 2 * own)


def thresholds(review: WhatIf) -> Thresholds:
    """Apply a row of thresholds, evenly spaced on a logarithmic scale, to a recorded run.

    Parameters
    ----------
    review
        The run under its own rule.

    Returns
    -------
    Thresholds
    """
    row = np.geomspace(*threshold_range(review), ROW)
    values = sorted({*(float(f"{value:.2g}") for value in row), review.rule.threshold_call_dft})
    reviews = tuple(review.under(threshold_call_dft=value) for value in values)
    return Thresholds(recorded=review, reviews=reviews)
