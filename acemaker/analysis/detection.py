"""Statistics of a detector of wrong atoms: rates with confidence intervals, and thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
"""Confidence level of the intervals."""

FEWEST_STRUCTURES = 5
"""Minimum number of structures with wrong atoms: the wrong atoms of one structure are neighbors and err together."""

SMALLEST_THRESHOLD = 1.0
"""Smallest threshold of gamma that is recommended: environments of the training set have a gamma of up to 1."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share, with its confidence interval.

    Attributes
    ----------
    count, of : int
        Numerator and denominator of the share.
    low, high : float
        Interval of 95 %, dimensionless.
    """

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; NaN if the denominator is zero."""
        return self.count / self.of if self.of else math.nan

    def __str__(self) -> str:
        if not self.of:
            return "none"
        return f"{self.count} of {self.of} ({self.value:.2%}, interval {self.low:.2%} to {self.high:.2%})"


def rate(hits: np.ndarray, among: np.ndarray, cluster: np.ndarray) -> Rate:
    """Measure a share of atoms whose structures, not the atoms themselves, are independent.

    The interval is Clopper and Pearson's for the effective number of independent draws, which follows from the scatter
    between structures. If all or none of the atoms are hits there is no scatter, and each structure counts as one draw.

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
    hit_counts = np.bincount(number, hits & among)[sizes > 0]
    sizes = sizes[sizes > 0]
    share, structures = count / of, len(sizes)
    draws = float(structures)
    if 0 < count < of and structures > 1:
        variance = structures / (structures - 1) * float(np.sum((hit_counts - share * sizes) ** 2)) / of**2
        draws = min(float(of), share * (1 - share) / variance) if variance > 0 else float(of)
    tail = (1 - CONFIDENCE) / 2
    successes = share * draws
    low = float(beta.ppf(tail, successes, draws - successes + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, draws - successes)) if count < of else 1.0
    return Rate(count=count, of=of, low=low, high=high)


def enough_wrong_atoms(wrong: np.ndarray, cluster: np.ndarray, miss_rate: float) -> bool:
    """Return whether there are enough wrong atoms to determine a rate of misses.

    Parameters
    ----------
    wrong : ndarray of bool, shape (n,)
        Whether each atom is wrong.
    cluster : ndarray of int, shape (n,)
        The structure of each atom.
    miss_rate
        The rate to determine: with fewer wrong atoms than its inverse, not even one of them may be missed.
    """
    return int(wrong.sum()) >= min_wrong_atoms(miss_rate) and len(np.unique(cluster[wrong])) >= FEWEST_STRUCTURES


def min_wrong_atoms(miss_rate: float) -> int:
    """Return the minimum number of wrong atoms for which a rate of misses differs from no misses."""
    return math.ceil(1 / miss_rate - 1e-9)


def recommended_threshold(gamma: np.ndarray, wrong: np.ndarray, miss_rate: float) -> float:
    """Find the largest threshold that misses no more than a share of the wrong atoms.

    Parameters
    ----------
    gamma : ndarray, shape (n,)
        Of each atom.
    wrong : ndarray of bool, shape (n,)
        Whether each atom is wrong; at least one is.
    miss_rate
        The share, dimensionless.

    Returns
    -------
    float
        Rounded down to three significant digits; an atom with gamma equal to the threshold is missed.
    """
    sorted_gamma = np.sort(gamma[wrong])
    first_detected = float(sorted_gamma[min(int(miss_rate * len(sorted_gamma) + 1e-9), len(sorted_gamma) - 1)])
    if first_detected <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(first_detected)) - 2)
    steps = math.floor(first_detected / unit * (1 + 1e-12))
    return float(f"{(steps if steps * unit < first_detected else steps - 1) * unit:.3g}")


def curves(gamma: np.ndarray, wrong: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rates of misses and false alarms at many thresholds.

    Parameters
    ----------
    gamma : ndarray, shape (n,)
        Of each atom.
    wrong : ndarray of bool, shape (n,)
        Whether each atom is wrong.
    thresholds : ndarray, shape (m,)
        Of gamma.

    Returns
    -------
    misses, false_alarms : ndarray, shape (m,)
        Shares of the wrong and of the right atoms; NaN if there are none.
    """
    low, high = np.sort(gamma[wrong]), np.sort(gamma[~wrong])
    nothing = np.full(len(thresholds), np.nan)
    misses = np.searchsorted(low, thresholds, side="right") / len(low) if len(low) else nothing
    alarms = 1 - np.searchsorted(high, thresholds, side="right") / len(high) if len(high) else nothing
    return misses, alarms
