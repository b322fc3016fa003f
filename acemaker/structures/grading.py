"""Gamma and features of structures: their distance from the training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Grading:
    """Distances of structures from the training set.

    Attributes
    ----------
    gamma_max : ndarray, shape (n_structures,)
        Largest gamma of each structure; NaN without a generation.
    features : ndarray, shape (n_structures, n_features)
        Descriptors of the structures: mean B-projections.
    gamma : tuple of ndarray, shape (n_atoms,)
        Gamma of all atoms of each structure, including masked ones; empty without a generation, or if the trainer does
        not return it.
    """

    gamma_max: np.ndarray
    features: np.ndarray
    gamma: tuple[np.ndarray, ...] = ()
