"""The grid of k-points of a label."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.structures.embedding.surroundings import VACUUM

FREE = 3.5
"""Å between the covalent spheres of atoms on both sides of a gap; between the layers of a crystal there are 2 Å."""


def vacuum_axes(atoms: Atoms) -> tuple[bool, bool, bool]:
    """Find the cell vectors along which there is vacuum.

    Parameters
    ----------
    atoms
        A structure with three cell vectors.

    Returns
    -------
    tuple of bool
        Whether a layer without atoms, parallel to the other two vectors, is wider than 6 Å, or than 3.5 Å beyond the
        covalent spheres of the atoms on its sides.

    Examples
    --------
    >>> from ase.build import bulk, fcc111, molecule
    >>> vacuum_axes(bulk("Cs")), vacuum_axes(fcc111("Cu", (1, 1, 3), vacuum=4, periodic=True))
    ((False, False, False), (False, False, True))
    >>> water = molecule("H2O", vacuum=3)
    >>> water.pbc = True
    >>> vacuum_axes(water)
    (True, True, True)
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    scaled = atoms.get_scaled_positions(wrap=True)
    radii = covalent_radii[atoms.numbers]
    x, y, z = (_is_open(scaled[:, axis], float(heights[axis]), radii) for axis in range(3))
    return x, y, z


def k_point_grid(
    atoms: Atoms, spacing: float, offset: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the grid of k-points of a structure, with one point along vacuum, where bands have no dispersion.

    Parameters
    ----------
    atoms
        A structure that is periodic in all directions.
    spacing
        Maximum distance of k-points in 1/Å, without the factor 2 pi.
    offset
        Offset along each reciprocal vector: 1 shifts the grid by half a step.

    Returns
    -------
    points, offsets : tuple of int
        Number of points along each reciprocal vector, and offset of the grid, which is zero along vacuum.

    Examples
    --------
    >>> from ase.build import bulk, fcc111
    >>> k_point_grid(bulk("Cu"), 0.1, (0, 0, 0))
    ((5, 5, 5), (0, 0, 0))
    >>> k_point_grid(fcc111("Cu", (1, 1, 3), vacuum=4, periodic=True), 0.05, (1, 1, 1))
    ((10, 10, 1), (1, 1, 0))
    """
    lengths = np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    is_open = vacuum_axes(atoms)
    x, y, z = (
        1 if open_axis else int(length / spacing) + 1 for open_axis, length in zip(is_open, lengths, strict=True)
    )
    shift_x, shift_y, shift_z = (0 if open_axis else shift for open_axis, shift in zip(is_open, offset, strict=True))
    return (x, y, z), (shift_x, shift_y, shift_z)


def _is_open(scaled: np.ndarray, height: float, radii: np.ndarray) -> bool:
    """Return whether there is a layer without atoms, from scaled coordinates along one axis."""
    order = np.argsort(scaled)
    below, above = scaled[order], np.append(scaled[order][1:], scaled[order][0] + 1)
    if ((above - below) * height > VACUUM).any():
        return True
    # an atom may be wider than one that is farther up: compare the spheres' upper and lower ends
    ends = np.maximum.accumulate(below * height + radii[order])
    largest = max(0.0, float(ends[-1]) - height)  # that reach into the next period
    ends = np.maximum(ends, largest)
    starts = above * height - np.append(radii[order][1:], radii[order][0])
    starts = np.minimum.accumulate(starts[::-1])[::-1]
    return bool((starts - ends > FREE).any())
