"""Ratios of measured and expected values, which betray a unit or a sign."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MATCH = 0.03
"""Relative deviation up to which a ratio is that of a unit."""


@dataclass(frozen=True)
class Hypothesis:
    """An explanation of a ratio other than 1."""

    ratio: float
    words: str


def nearest_hypothesis(ratio: float, hypotheses: Sequence[Hypothesis], tolerance: float = MATCH) -> Hypothesis | None:
    """Return the hypothesis with the nearest ratio of the same sign, if it is near enough."""
    fitting = [item for item in hypotheses if item.ratio * ratio > 0 and math.isfinite(ratio)]
    if not fitting:
        return None
    nearest = min(fitting, key=lambda item: abs(math.log(ratio / item.ratio)))
    return nearest if abs(math.log(ratio / nearest.ratio)) < tolerance else None
