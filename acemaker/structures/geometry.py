"""Distances within a structure, and what is too close to be physical."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from vesin import ase_neighbor_list


def pairs(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pairs of atoms within a distance, periodic images included, each in both directions.

    Parameters
    ----------
    atoms
        Structure, fully periodic or not at all.
    reach
        Å.

    Returns
    -------
    first, second : ndarray of int, shape (n_pairs,)
        The atoms.
    distances : ndarray, shape (n_pairs,)
        Å.
    """
    first, second, distances = ase_neighbor_list("ijd", atoms, float(reach))
    return first.astype(int), second.astype(int), distances


REACHES = (2.5, 3.5, 5.0, 8.0)
"""Å; a neighbour list's cost grows with the cube of its reach, so the short ones are tried first."""


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """How close the closest atoms of a structure are, periodic images included.

    Attributes
    ----------
    distance : float
        Å, smallest pair distance; infinity where there is none within the last reach.
    share : float
        Smallest pair distance in units of the sum of the pair's covalent radii, dimensionless.
    """

    distance: float
    share: float


def closeness(atoms: Atoms) -> Closeness:
    """Measure how close the closest atoms are.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    Closeness
        Zero where positions or cell are not finite.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return Closeness(distance=0.0, share=0.0)
    radii = covalent_radii[atoms.numbers]
    least = 2 * float(radii.max(initial=0.0))  # within it lies every pair whose share is below 1
    for reach in sorted({*(max(reach, least) for reach in REACHES)}):
        first, second, distances = pairs(atoms, reach)
        if len(distances):
            shares = distances / (radii[first] + radii[second])
            return Closeness(distance=float(distances.min()), share=float(shares.min()))
    return Closeness(distance=float("inf"), share=float("inf"))


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
        centres, _, distances = pairs(atoms, reach)
        np.minimum.at(nearest, centres, distances)
        if np.isfinite(nearest[indices]).all():
            break
    chosen: np.ndarray = nearest[indices]
    return chosen


def mean_coordination(atoms: Atoms, cutoff: float) -> float:
    """Return the mean number of neighbours within `cutoff`, Å."""
    return len(pairs(atoms, cutoff)[0]) / len(atoms)
