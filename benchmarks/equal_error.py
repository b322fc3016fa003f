"""How many frames of a true trajectory a campaign's error is worth.

A campaign's median error over the seeds is held against the curve of the true trajectory: the median error by number of
frames, made to fall (the least error of up to so many frames), and interpolated between the numbers that were tried,
both on logarithmic scales. Where all that were tried are worse than the campaign, the largest number counts; where all
are better, the smallest: two cells are the fewest that hold as many environments as there are functions.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from rows import Row


@dataclass(frozen=True)
class Point:
    """Medians over seeds."""

    seeds: int
    labels: float
    cost: float
    error: float  # meV/Å
    least: float
    largest: float
    done: bool  # whether every run came to its end


def medians(rows: Sequence[Row], system: str, strategy: str) -> list[Point]:
    """Take medians over the seeds, a point of the strategy each."""
    own = [row for row in rows if row["system"] == system and row["strategy"] == strategy]
    points = []
    for point in sorted({int(row["point"]) for row in own}):
        these = [row for row in own if int(row["point"]) == point]
        errors = [float(row["force_rmse_meV_per_A"]) for row in these]
        labels, cost = (statistics.median(float(row[column]) for row in these) for column in ("labels", "cost"))
        middle, done = statistics.median(errors), all(row["ended"] == "done" for row in these)
        points.append(Point(len(these), labels, cost, middle, min(errors), max(errors), done))
    return points


def frames_at(error: float, curve: Sequence[Point]) -> float:
    """Interpolate how many frames of the true trajectory have an error; see above."""
    fallen = np.minimum.accumulate([point.error for point in curve])
    if error >= fallen[0]:
        return curve[0].labels
    for (before, after), (high, low) in zip(pairwise(curve), pairwise(fallen), strict=True):
        if low <= error:
            share = np.log(high / error) / np.log(high / low)
            return float(np.exp((1 - share) * np.log(before.labels) + share * np.log(after.labels)))
    return curve[-1].labels
