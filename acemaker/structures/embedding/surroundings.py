"""Surroundings of an atom in a periodic structure, including images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from acemaker.errors import EmbeddingError
from acemaker.structures.per_atom import MOMENTS

LEAST_MOMENT = 0.1
"""Bohr magnetons; atoms with smaller initial moments are not magnetic."""

VACUUM = 6.0
"""Å; a direction with a larger gap between the atoms has surfaces. In no crystal are planes that far apart."""


@dataclass(frozen=True, kw_only=True)
class Slab:
    """Surfaces of a structure with vacuum in one direction.

    Attributes
    ----------
    normal : ndarray, shape (3,)
        Unit vector, perpendicular to the two other cell vectors.
    bottom, top : float
        Å, positions of the outermost atoms along the normal, relative to the center.
    """

    normal: np.ndarray
    bottom: float
    top: float


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """All atoms around a center, including periodic images.

    Attributes
    ----------
    offsets : ndarray, shape (n, 3)
        Positions relative to the center, nearest first, Å.
    indices : ndarray of int, shape (n,)
        Index of each atom in the parent.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    periods : ndarray, shape (3, 3)
        Cell of the parent, Å.
    parent : Atoms
        The parent, which has the properties of its atoms.
    spacing : float
        Å, cube root of the volume per atom, without vacuum.
    slab : Slab or None
        Surfaces of the parent, None without surfaces.
    """

    offsets: np.ndarray
    indices: np.ndarray
    numbers: np.ndarray
    periods: np.ndarray
    parent: Atoms
    spacing: float
    slab: Slab | None

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree of the positions."""
        return cKDTree(self.offsets)

    @cached_property
    def kinds(self) -> np.ndarray:
        """Kind of each atom, shape (n,): its element, and in a magnetic structure the sign of its initial moment.

        A translation that exchanges the sublattices of an antiferromagnet is none of its lattice.
        """
        moments = np.asarray(self.parent.arrays.get(MOMENTS, np.zeros(len(self.parent))))
        if moments.ndim > 1 or not moments.any():
            return self.numbers
        signs = np.where(np.abs(moments) < LEAST_MOMENT, 0, np.sign(moments)).astype(int)
        kinds: np.ndarray = 3 * self.numbers + signs[self.indices]
        return kinds

    @cached_property
    def trees(self) -> dict[int, cKDTree]:
        """Search trees of the positions by kind."""
        return {int(kind): cKDTree(self.offsets[self.kinds == kind]) for kind in np.unique(self.kinds)}


def surroundings(atoms: Atoms, center: int, radius: float) -> Surroundings:
    """Collect the atoms around one of them.

    Parameters
    ----------
    atoms
        Structure that is periodic in all directions, with vacuum in at most one.
    center
        Index of the central atom.
    radius
        Å.

    Returns
    -------
    Surroundings
    """
    cell = atoms.cell.array
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    scaled = (atoms.positions - atoms.positions[center]) @ np.linalg.inv(cell)
    scaled -= np.round(scaled)
    reach = np.floor(radius / heights + 0.5).astype(int)
    images = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = ((scaled[None] + images[:, None]) @ cell).reshape(-1, 3)
    distances = np.linalg.norm(offsets, axis=1)
    near = np.flatnonzero(distances <= radius)
    near = near[np.argsort(distances[near], kind="stable")]
    indices = near % len(atoms)
    slab = next((surfaces for axis in range(3) if (surfaces := _slab(atoms, center, axis)) is not None), None)
    volume = atoms.get_volume()
    if slab is not None:  # includes half an interlayer distance beyond each surface
        area = volume / max(heights[axis] for axis in range(3) if _gap(atoms, axis)[0] > VACUUM)
        thickness = slab.top - slab.bottom
        volume = area * (thickness + _layer(area, thickness, len(atoms)))
    return Surroundings(
        offsets=offsets[near],
        indices=indices,
        numbers=atoms.numbers[indices],
        periods=cell.copy(),
        parent=atoms,
        spacing=float((volume / len(atoms)) ** (1 / 3)),
        slab=slab,
    )


def check_parent(parent: Atoms) -> None:
    """Check that small cells can be cut from a structure.

    Raises
    ------
    EmbeddingError
        If the structure is not periodic or has vacuum in more than one direction.
    """
    if not parent.pbc.all():
        raise EmbeddingError(
            f"expected a periodic structure, got {len(parent)} atoms with pbc={parent.pbc.tolist()}: cells cannot be "
            "cut from clusters; raise max_atoms"
        )
    n_open = sum(_gap(parent, axis)[0] > VACUUM for axis in range(3))
    if n_open > 1:
        raise EmbeddingError(
            f"expected vacuum in at most one direction, got {len(parent)} atoms with vacuum in {n_open} directions: "
            "cells can be cut from bulk and slabs, but not from wires and particles; raise max_atoms"
        )


def _gap(atoms: Atoms, axis: int) -> tuple[float, float]:
    """Find the widest gap along an axis: its height in Å, and the scaled coordinate of the atoms above it."""
    height = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array)[:, axis])
    scaled = np.sort(atoms.get_scaled_positions(wrap=True)[:, axis])
    gaps = np.diff(np.append(scaled, scaled[0] + 1))
    widest = int(gaps.argmax())
    return float(gaps[widest] * height), float(scaled[(widest + 1) % len(scaled)])


def _slab(atoms: Atoms, center: int, axis: int) -> Slab | None:
    gap, start = _gap(atoms, axis)
    if gap <= VACUUM:
        return None
    reciprocal = np.linalg.inv(atoms.cell.array)[:, axis]
    height = 1 / np.linalg.norm(reciprocal)
    above = (atoms.get_scaled_positions(wrap=True)[center, axis] - start) % 1.0  # height above the bottom, in periods
    return Slab(normal=reciprocal * height, bottom=float(-above * height), top=float(height - gap - above * height))


def _layer(area: float, thickness: float, n_atoms: int) -> float:
    """Return the interlayer distance, which is assumed to equal the cube root of the volume per atom."""
    spacing = (area * thickness / n_atoms) ** (1 / 3)
    for _ in range(20):
        spacing = (area * (thickness + spacing) / n_atoms) ** (1 / 3)
    return float(spacing)
