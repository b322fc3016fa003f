"""Statistics of labels on which single wrong ones have little influence."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from acemaker.structures.geometry import closeness
from acemaker.structures.stress_units import CERTAIN

NORMAL = 1.4826
"""Standard deviation of a normal distribution relative to its median absolute deviation."""

FEWEST = 5
"""Labels that are needed to tell which one is wrong."""

INDEPENDENT = 3.5
"""Least number of independent components of stresses."""


def usual(structures: Sequence[Atoms]) -> np.ndarray:
    """Return which structures are like others: a unique one may rightly differ from what they predict."""
    shares = np.array([closeness(atoms).share for atoms in structures])
    volumes = np.array([atoms.get_volume() / len(atoms) if atoms.pbc.all() else np.nan for atoms in structures])
    usual = np.ones(len(structures), dtype=bool)
    for values in (shares, volumes):
        finite = np.isfinite(values)
        if finite.sum() >= FEWEST:
            low, high = np.quantile(values[finite], [0.1, 0.9])
            usual &= ~finite | ((values > 0.85 * low) & (values < 1.15 * high))
    is_periodic = np.isfinite(volumes)
    return np.asarray(usual & (is_periodic == (is_periodic.mean() > 0.5)))


def deviators(stresses: np.ndarray) -> np.ndarray:
    """Return the components of stresses, shape (n, 6), without pressure, and shears with their weight in a norm."""
    mean = stresses[:, :3].mean(axis=1, keepdims=True)
    return np.hstack([stresses[:, :3] - mean, math.sqrt(2) * stresses[:, 3:]]).ravel()


def pressures(stresses: np.ndarray) -> np.ndarray:
    """Return the deviations of the pressures from their mean."""
    pressures = stresses[:, :3].mean(axis=1)
    return np.asarray(pressures - pressures.mean())


def ratio_of(written: np.ndarray, predicted: np.ndarray) -> float | None:
    """Return the ratio of predicted and written numbers; None if too few count, or it differs from one to the next."""
    squares = float(written @ written) * float(predicted @ predicted)
    if not squares > 0 or float(written @ written) ** 2 < INDEPENDENT * float(np.sum(written**4)):
        return None
    product = float(written @ predicted)
    return product / float(written @ written) if product**2 > CERTAIN * squares else None


def spread(values: np.ndarray) -> float:
    """Return the standard deviation of normally distributed values, on which outliers have little influence."""
    return NORMAL * float(np.median(np.abs(values))) if len(values) else 0.0


def without(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return what columns do not explain of values."""
    return np.asarray(values - columns @ np.linalg.lstsq(columns, values, rcond=1e-6)[0])
