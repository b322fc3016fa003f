"""Selection of the atoms of a small cell from the parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.structures.embedding.cell import SmallCell
from acemaker.structures.embedding.surroundings import Surroundings
from acemaker.structures.per_atom import with_per_atom

BEYOND = 0.2
"""Distance beyond the boundary, in units of half a period, within which atoms may fill gaps due to thermal motion."""

SQUEEZE = 0.85
"""Smallest pair distance across the boundary in units of the smallest in the parent: the relaxation separates such
pairs, whereas a missing atom would be a larger defect."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Atoms of a small cell before the relaxation.

    Attributes
    ----------
    structure : Atoms
        Periodic structure; the first atom is the center and in the middle of the cell.
    indices : ndarray of int, shape (n_atoms,)
        Index of each atom in the parent.
    distances : ndarray, shape (n_atoms,)
        Distances from the center, Å.
    """

    structure: Atoms
    indices: np.ndarray
    distances: np.ndarray


def cut(near: Surroundings, cell: SmallCell, closest: float) -> Cut:
    """Select the atoms that are nearer to the center than to any of its images (the Wigner-Seitz cell).

    Atoms are added from the center outwards, unless they are too close to others: of two atoms that overlap across the
    boundary, the outer one is omitted. Atoms just beyond the boundary fill gaps while the density of the cell is below
    that of the parent.

    Parameters
    ----------
    near
        Surroundings of the center.
    cell
        The small cell.
    closest
        Smallest distance between two atoms, in units of the sum of their covalent radii.

    Returns
    -------
    Cut
    """
    flat = cell.window is not None
    periods = cell.vectors[:2] if flat and cell.normal is not None else cell.vectors
    if flat:
        assert cell.normal is not None
        periods = cell.vectors[np.abs(cell.vectors @ cell.normal) < 1e-6 * np.linalg.norm(cell.vectors, axis=1)]
    images = _images(periods)
    depth = np.max(2 * near.offsets @ images.T / (images**2).sum(axis=1), axis=1)
    if cell.window is not None and cell.normal is not None:
        heights = near.offsets @ cell.normal
        depth[(heights < cell.window[0]) | (heights > cell.window[1])] = np.inf
    candidates = np.flatnonzero(depth <= 1 + BEYOND)
    candidates = candidates[np.argsort(np.round(depth[candidates], 9), kind="stable")]
    n_parent_density = np.inf if flat else round(abs(np.linalg.det(cell.vectors)) / near.spacing**3)
    lattice = np.vstack([np.zeros(3), images])
    radii = covalent_radii[near.numbers]
    chosen: list[int] = []
    for atom in candidates:
        if depth[atom] > 1 and len(chosen) >= n_parent_density:
            break
        if chosen:
            vectors = near.offsets[atom] - near.offsets[chosen]
            distances = np.linalg.norm(vectors[:, None] - lattice[None], axis=2).min(axis=1)
            if (distances < closest * (radii[atom] + radii[chosen])).any():
                continue
        chosen.append(int(atom))
    order = np.sort(chosen)  # nearest first
    offsets = near.offsets[order]
    structure = Atoms(near.numbers[order], offsets, cell=cell.vectors, pbc=True)
    with_per_atom(near.parent, structure, near.indices[order])
    middle = cell.vectors.sum(axis=0) / 2
    if cell.window is not None and cell.normal is not None:
        middle -= cell.normal * (sum(cell.window) / 2)
    structure.positions += middle
    return Cut(
        structure=structure,
        indices=near.indices[order],
        distances=np.linalg.norm(offsets, axis=1),
    )


def _images(periods: np.ndarray) -> np.ndarray:
    n = len(periods)
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    images: np.ndarray = steps[(steps != 0).any(axis=1)] @ periods
    return images
