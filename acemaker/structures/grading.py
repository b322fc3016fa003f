"""How far structures are from the training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Grading:
    """How far structures are from the training set, and where.

    Attributes
    ----------
    gamma_max : ndarray, shape (n_structures,)
        Largest gamma of each; NaN while there is no generation.
    features : ndarray, shape (n_structures, n_features)
        What they look like to the potential: mean B-projections.
    gamma : tuple of ndarray, shape (n_atoms,)
        Gamma of the atoms of each structure, those that do not count by its mask included; empty where there is no
        generation, or a trainer does not say.
    """

    gamma_max: np.ndarray
    features: np.ndarray
    gamma: tuple[np.ndarray, ...] = ()
