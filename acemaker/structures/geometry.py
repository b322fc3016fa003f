"""Distances within a structure, and what is too close to be physical."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

REACHES = (2.5, 3.5, 5.0, 8.0)
"""Å; a neighbour list's cost grows with the cube of its reach, so the short ones are tried first."""


def smallest_distance(atoms: Atoms) -> float:
    """Return the smallest pair distance in Å, periodic images included; infinity beyond the last reach."""
    for reach in REACHES:
        distances = neighbor_list("d", atoms, reach)
        if len(distances):
            return float(distances.min())
    return float("inf")


def nearest_distances(atoms: Atoms, indices: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest neighbour of some atoms.

    Parameters
    ----------
    atoms
        The structure.
    indices : ndarray of int, shape (n,)
        Which atoms.

    Returns
    -------
    ndarray, shape (n,)
        Å; infinity for an atom without neighbours within the last reach.
    """
    nearest = np.full(len(atoms), np.inf)
    for reach in REACHES:
        centres, distances = neighbor_list("id", atoms, reach)
        np.minimum.at(nearest, centres, distances)
        if np.isfinite(nearest[indices]).all():
            break
    chosen: np.ndarray = nearest[indices]
    return chosen


def is_physical(atoms: Atoms, fraction: float) -> bool:
    """Tell whether no pair is closer than a share of the sum of its covalent radii.

    Parameters
    ----------
    atoms
        The structure.
    fraction
        The share, ``min_distance_fraction``.

    Returns
    -------
    bool
        False also for positions that are not finite.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return False
    radii = fraction * covalent_radii[atoms.numbers]
    # neighbor_list's array cutoffs are radii: it returns the pairs closer than their sum
    return not len(neighbor_list("i", atoms, radii))


def mean_coordination(atoms: Atoms, cutoff: float) -> float:
    """Return the mean number of neighbours within `cutoff`, Å."""
    return len(neighbor_list("i", atoms, cutoff)) / len(atoms)
