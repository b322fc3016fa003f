"""Cutting the atoms of a small cell out of the parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.structures.embedding.cell import SmallCell
from acemaker.structures.embedding.surroundings import Surroundings

BEYOND = 0.2
"""How far beyond the boundary, in units of half a period, atoms are taken to fill what thermal motion left empty."""

SQUEEZE = 0.85
"""Pairs across the seam may be closer than the parent's closest by this factor: the relaxation parts them, and a
hole would be the worse defect."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A small cell as it was cut.

    Attributes
    ----------
    structure : Atoms
        Periodic; the centre first and in the middle of the cell.
    indices : ndarray of int, shape (n_atoms,)
        The parent's atom behind each.
    distances : ndarray, shape (n_atoms,)
        Å, from the centre.
    """

    structure: Atoms
    indices: np.ndarray
    distances: np.ndarray


def cut(near: Surroundings, cell: SmallCell, closest: float) -> Cut:
    """Take the atoms that are nearer to the centre than to any of its images (the Wigner-Seitz cell).

    Atoms come in from the middle outwards, each only if it is not too close to those that are there already: of two
    that overlap across the seam, the outer one stays out. Just beyond the boundary they fill what is empty, as long
    as the cell has less than the parent's density.

    Parameters
    ----------
    near
        The centre's surroundings.
    cell
        The cell.
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
    most = np.inf if flat else round(abs(np.linalg.det(cell.vectors)) / near.spacing**3)
    lattice = np.vstack([np.zeros(3), images])
    radii = covalent_radii[near.numbers]
    chosen: list[int] = []
    for atom in candidates:
        if depth[atom] > 1 and len(chosen) >= most:
            break
        if chosen:
            apart = near.offsets[atom] - near.offsets[chosen]
            distances = np.linalg.norm(apart[:, None] - lattice[None], axis=2).min(axis=1)
            if (distances < closest * (radii[atom] + radii[chosen])).any():
                continue
        chosen.append(int(atom))
    order = np.sort(chosen)  # nearest first
    offsets = near.offsets[order]
    structure = Atoms(near.numbers[order], offsets, cell=cell.vectors, pbc=True)
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
