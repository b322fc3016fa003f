"""The surroundings of a point in a periodic structure, images laid out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from acemaker.errors import EmbeddingError

VACUUM = 6.0
"""Å; a direction in which the atoms leave a gap of as much has surfaces. No crystal has planes as far apart."""


@dataclass(frozen=True, kw_only=True)
class Slab:
    """The one direction in which a structure ends.

    Attributes
    ----------
    normal : ndarray, shape (3,)
        Unit vector, perpendicular to the two periodic vectors.
    bottom, top : float
        Å along the normal, of the outermost atoms, from the centre.
    """

    normal: np.ndarray
    bottom: float
    top: float


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """All atoms around a point, periodic images included.

    Attributes
    ----------
    offsets : ndarray, shape (n, 3)
        Å, from the centre; nearest first.
    indices : ndarray of int, shape (n,)
        The parent's atom behind each.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    periods : ndarray, shape (3, 3)
        The parent's cell, Å.
    spacing : float
        Å, cube root of the volume per atom, vacuum apart.
    slab : Slab or None
        Where the parent ends, None where it does not.
    """

    offsets: np.ndarray
    indices: np.ndarray
    numbers: np.ndarray
    periods: np.ndarray
    spacing: float
    slab: Slab | None

    @cached_property
    def tree(self) -> cKDTree:
        """Finds atoms by position."""
        return cKDTree(self.offsets)

    @cached_property
    def trees(self) -> dict[int, cKDTree]:
        """The same by atomic number."""
        return {int(number): cKDTree(self.offsets[self.numbers == number]) for number in np.unique(self.numbers)}


def surroundings(atoms: Atoms, centre: int, radius: float) -> Surroundings:
    """Lay out the atoms around one of them.

    Parameters
    ----------
    atoms
        Periodic in all directions, with at most one that has vacuum in it.
    centre
        The atom in the middle.
    radius
        Å.

    Returns
    -------
    Surroundings
    """
    cell = atoms.cell.array
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    scaled = (atoms.positions - atoms.positions[centre]) @ np.linalg.inv(cell)
    scaled -= np.round(scaled)
    reach = np.floor(radius / heights + 0.5).astype(int)
    images = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = ((scaled[None] + images[:, None]) @ cell).reshape(-1, 3)
    distances = np.linalg.norm(offsets, axis=1)
    near = np.flatnonzero(distances <= radius)
    near = near[np.argsort(distances[near], kind="stable")]
    indices = near % len(atoms)
    slab = next((found for axis in range(3) if (found := _slab(atoms, centre, axis)) is not None), None)
    volume = atoms.get_volume()
    if slab is not None:  # half an interlayer distance beyond either surface belongs to the outermost atoms
        area = volume / max(heights[axis] for axis in range(3) if _gap(atoms, axis)[0] > VACUUM)
        thickness = slab.top - slab.bottom
        volume = area * (thickness + _layer(area, thickness, len(atoms)))
    return Surroundings(
        offsets=offsets[near],
        indices=indices,
        numbers=atoms.numbers[indices],
        periods=cell.copy(),
        spacing=float((volume / len(atoms)) ** (1 / 3)),
        slab=slab,
    )


def check_parent(parent: Atoms) -> None:
    """Refuse structures out of which no small cell can be cut.

    Raises
    ------
    EmbeddingError
        For what is not periodic or has vacuum in more than one direction.
    """
    if not parent.pbc.all():
        raise EmbeddingError(
            f"expected a periodic structure, got {len(parent)} atoms with pbc={parent.pbc.tolist()}: cells cannot be "
            "cut out of clusters; raise max_atoms"
        )
    n_open = sum(_gap(parent, axis)[0] > VACUUM for axis in range(3))
    if n_open > 1:
        raise EmbeddingError(
            f"the structure of {len(parent)} atoms has vacuum in {n_open} directions: cells are cut out of bulk and "
            "slabs, not out of wires and particles; raise max_atoms"
        )


def _gap(atoms: Atoms, axis: int) -> tuple[float, float]:
    """Find the widest gap along an axis: its height in Å, and the scaled coordinate of the atoms above it."""
    height = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array)[:, axis])
    scaled = np.sort(atoms.get_scaled_positions(wrap=True)[:, axis])
    gaps = np.diff(np.append(scaled, scaled[0] + 1))
    widest = int(gaps.argmax())
    return float(gaps[widest] * height), float(scaled[(widest + 1) % len(scaled)])


def _slab(atoms: Atoms, centre: int, axis: int) -> Slab | None:
    gap, start = _gap(atoms, axis)
    if gap <= VACUUM:
        return None
    reciprocal = np.linalg.inv(atoms.cell.array)[:, axis]
    height = 1 / np.linalg.norm(reciprocal)
    above = (atoms.get_scaled_positions(wrap=True)[centre, axis] - start) % 1.0  # of the bottom, in periods
    return Slab(normal=reciprocal * height, bottom=float(-above * height), top=float(height - gap - above * height))


def _layer(area: float, thickness: float, n_atoms: int) -> float:
    """Return the mean distance of layers that are as dense as the cube root of the volume per atom says."""
    spacing = (area * thickness / n_atoms) ** (1 / 3)
    for _ in range(20):
        spacing = (area * (thickness + spacing) / n_atoms) ** (1 / 3)
    return float(spacing)
