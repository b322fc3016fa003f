"""Distances between the atoms of a structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from vesin import ase_neighbor_list

from acemaker.structures.per_atom import frozen_atoms


def pairs(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pairs of atoms within a distance, including periodic images, each in both directions.

    Parameters
    ----------
    atoms
        Structure, fully periodic or not at all.
    reach
        Å.

    Returns
    -------
    first, second : ndarray of int, shape (n_pairs,)
        Indices of the atoms.
    distances : ndarray, shape (n_pairs,)
        Å.
    """
    first, second, distances = ase_neighbor_list("ijd", atoms, float(reach))
    return first.astype(int), second.astype(int), distances


REACHES = (2.5, 3.5, 5.0, 8.0)
"""Å; the cost of a neighbor list grows with the cube of its cutoff, so short cutoffs are tried first."""


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """Smallest pair distance of a structure, including periodic images.

    Attributes
    ----------
    distance : float
        Å, smallest pair distance; infinity if there is no pair within the largest of `REACHES`.
    share : float
        Smallest pair distance in units of the sum of the pair's covalent radii, dimensionless.
    """

    distance: float
    share: float


def closeness(atoms: Atoms) -> Closeness:
    """Return the smallest pair distance of a structure.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    Closeness
        Zero if positions or cell are not finite.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return Closeness(distance=0.0, share=0.0)
    radii = covalent_radii[atoms.numbers]
    lower = 2 * float(radii.max(initial=0.0))  # includes every pair whose share is below 1
    for reach in sorted({*(max(reach, lower) for reach in REACHES)}):
        first, second, distances = pairs(atoms, reach)
        if len(distances):
            shares = distances / (radii[first] + radii[second])
            return Closeness(distance=float(distances.min()), share=float(shares.min()))
    return Closeness(distance=float("inf"), share=float("inf"))


def nearest_distances(atoms: Atoms, indices: np.ndarray) -> np.ndarray:
    """Return the distances of atoms to their nearest neighbors.

    Parameters
    ----------
    atoms
        The structure.
    indices : ndarray of int, shape (n,)
        Indices of the atoms.

    Returns
    -------
    ndarray, shape (n,)
        Å; infinity for an atom without neighbors within the largest of `REACHES`.
    """
    nearest = np.full(len(atoms), np.inf)
    for reach in REACHES:
        centers, _, distances = pairs(atoms, reach)
        np.minimum.at(nearest, centers, distances)
        if np.isfinite(nearest[indices]).all():
            break
    chosen: np.ndarray = nearest[indices]
    return chosen


def mean_coordination(atoms: Atoms, cutoff: float) -> float:
    """Return the mean number of neighbors within `cutoff`, Å."""
    return len(pairs(atoms, cutoff)[0]) / len(atoms)


LEAST_VACUUM = 3.0
"""Å between an atom of a cluster and a face of its box below which the box is enlarged."""


def put_into_box(atoms: Atoms, start: Atoms) -> None:
    """Give a cluster the box of the structure with which its trajectory starts, at the same place in the box.

    Engines move a cluster in a box of their own, while an oracle may need the original one. The box is enlarged if the
    cluster has expanded, so that it has the same vacuum as at the start.

    Parameters
    ----------
    atoms
        Cluster without a cell; it is changed.
    start
        Structure with the same atoms and a cell. If its frozen atoms exist, they are where they were, otherwise the
        center of all atoms is.

    Examples
    --------
    >>> from ase import Atoms
    >>> start = Atoms("N2", [[5, 5, 4.5], [5, 5, 5.5]], cell=[10, 10, 10])
    >>> moved = Atoms("N2", [[1, 1, 1.0], [1, 1, 2.2]])
    >>> put_into_box(moved, start)
    >>> moved.positions[:, 2].round(6).tolist(), moved.cell.lengths().tolist()
    ([4.4, 5.6], [10.0, 10.0, 10.0])
    """
    fixed = frozen_atoms(start)
    if fixed.any():
        atoms.positions += (start.positions[fixed] - atoms.positions[fixed]).mean(axis=0)
    else:
        ends = [structure.positions.min(axis=0) + structure.positions.max(axis=0) for structure in (start, atoms)]
        atoms.positions += 0.5 * (ends[0] - ends[1])
    cell = start.cell.array.copy()
    if start.cell.rank == 3:
        reciprocal = start.cell.reciprocal().array
        for axis in range(3):
            height = 1 / np.linalg.norm(reciprocal[axis])
            before, now = (structure.positions @ reciprocal[axis] * height for structure in (start, atoms))
            vacuum = min(before.min(), height - before.max())
            if min(now.min(), height - now.max()) < min(vacuum, LEAST_VACUUM) and vacuum > 0:
                below, above = (max(0.0, vacuum - free) for free in (now.min(), height - now.max()))
                atoms.positions += start.cell.array[axis] * (below / height)
                cell[axis] *= 1 + (below + above) / height
    atoms.set_cell(cell)
