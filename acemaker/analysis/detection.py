"""Misses and false alarms: gamma as a detector of wrong atoms, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
"""Of the intervals."""

FEWEST_STRUCTURES = 5
"""Structures that wrong atoms must come from: those of one structure are neighbours, and err together."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share, with the interval that the data leave open.

    Attributes
    ----------
    count, of : int
        So many of so many.
    low, high : float
        Interval of 95 %, dimensionless.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.count / self.of if self.of else math.nan

    def __str__(self) -> str:
        if not self.of:
            return "none"
        return f"{self.count} of {self.of} ({self.value:.2%}, interval {self.low:.2%} to {self.high:.2%})"


def rate(hits: np.ndarray, among: np.ndarray, cluster: np.ndarray) -> Rate:
    """Measure a share of atoms whose structures, not they themselves, are independent.

    Clopper and Pearson's interval for as many independent draws as the scatter between structures is worth.
    Where all or none of the atoms hit there is no scatter to go by, and each structure counts as one draw.

    Parameters
    ----------
    hits : ndarray of bool, shape (n,)
        Atoms that count.
    among : ndarray of bool, shape (n,)
        Atoms of which they are a share.
    cluster : ndarray of int, shape (n,)
        The structure of each atom.

    Returns
    -------
    Rate

    References
    ----------
    Korn and Graubard, Survey Methodology 24, 193 (1998).
    """
    from scipy.stats import beta

    count, of = int((hits & among).sum()), int(among.sum())
    if not of:
        return Rate(count=0, of=0, low=0.0, high=1.0)
    _, number = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(number, among)
    found = np.bincount(number, hits & among)[sizes > 0]
    sizes = sizes[sizes > 0]
    share, structures = count / of, len(sizes)
    draws = float(structures)
    if 0 < count < of and structures > 1:
        variance = structures / (structures - 1) * float(np.sum((found - share * sizes) ** 2)) / of**2
        draws = min(float(of), share * (1 - share) / variance) if variance > 0 else float(of)
    tail = (1 - CONFIDENCE) / 2
    successes = share * draws
    low = float(beta.ppf(tail, successes, draws - successes + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, draws - successes)) if count < of else 1.0
    return Rate(count=count, of=of, low=low, high=high)


def enough(wrong: np.ndarray, cluster: np.ndarray, miss_rate: float) -> bool:
    """Tell whether there are wrong atoms enough to speak of a rate of misses.

    Parameters
    ----------
    wrong : ndarray of bool, shape (n,)
        Atoms that err.
    cluster : ndarray of int, shape (n,)
        The structure of each atom.
    miss_rate
        Of which one would speak: with fewer than its inverse not even one may be missed.
    """
    return int(wrong.sum()) >= fewest(miss_rate) and len(np.unique(cluster[wrong])) >= FEWEST_STRUCTURES


def fewest(miss_rate: float) -> int:
    """Return the least number of wrong atoms with which a rate of misses can be told from none."""
    return math.ceil(1 / miss_rate - 1e-9)


def recommended(gamma: np.ndarray, wrong: np.ndarray, miss_rate: float) -> float:
    """Find the largest threshold below which no more than a share of the wrong atoms lies.

    Parameters
    ----------
    gamma : ndarray, shape (n,)
        Of each atom.
    wrong : ndarray of bool, shape (n,)
        Atoms that err; at least one.
    miss_rate
        The share, dimensionless.

    Returns
    -------
    float
        Rounded down to three significant digits; an atom at the threshold itself is not seen.
    """
    sorted_gamma = np.sort(gamma[wrong])
    first_seen = float(sorted_gamma[min(int(miss_rate * len(sorted_gamma) + 1e-9), len(sorted_gamma) - 1)])
    if first_seen <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(first_seen)) - 2)
    steps = math.floor(first_seen / unit * (1 + 1e-12))
    return float(f"{(steps if steps * unit < first_seen else steps - 1) * unit:.3g}")


def curves(gamma: np.ndarray, wrong: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rates at many thresholds.

    Parameters
    ----------
    gamma : ndarray, shape (n,)
        Of each atom.
    wrong : ndarray of bool, shape (n,)
        Atoms that err.
    thresholds : ndarray, shape (m,)
        Of gamma.

    Returns
    -------
    misses, false_alarms : ndarray, shape (m,)
        Shares of the wrong and of the right atoms; NaN where there are none.
    """
    low, high = np.sort(gamma[wrong]), np.sort(gamma[~wrong])
    nothing = np.full(len(thresholds), np.nan)
    misses = np.searchsorted(low, thresholds, side="right") / len(low) if len(low) else nothing
    alarms = 1 - np.searchsorted(high, thresholds, side="right") / len(high) if len(high) else nothing
    return misses, alarms
