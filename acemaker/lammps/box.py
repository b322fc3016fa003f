"""Structures in and out of a living LAMMPS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms, units

from acemaker.errors import EngineError
from acemaker.lammps.script import box_commands

ANGSTROM_PER_PS = 1000 * units.fs
"""LAMMPS's unit of velocity in ASE's, by which ASE's velocities are multiplied."""

IMAGE_BITS, IMAGE_OFFSET = 10, 512
"""How LAMMPS packs image flags in its default build."""


def put_structure(lmp: Any, atoms: Atoms, elements: Sequence[str], triclinic: bool) -> None:
    """Create box and atoms.

    Parameters
    ----------
    lmp
        A LAMMPS whose units, style and boundary are set.
    atoms
        The structure; it is rotated into LAMMPS's standard form. Momenta and ``arrays["images"]`` come along.
    elements
        In the order of their types.
    triclinic
        Whether the box may become tilted, even if it is not yet.

    Raises
    ------
    EngineError
        If LAMMPS did not take all atoms.
    """
    matrix, positions, rotation = standard_form(atoms)
    tilted = triclinic or is_tilted(matrix)
    for command in box_commands(matrix, elements, tilted):
        lmp.command(command)
    types = [elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
    velocities = None
    if has_momenta(atoms):
        velocities = (atoms.get_velocities() @ rotation.T * ANGSTROM_PER_PS).ravel().tolist()
    images = [lmp.encode_image_flags(*shift) for shift in image_numbers(atoms).tolist()]
    numbers = list(range(1, len(atoms) + 1))
    lmp.create_atoms(len(atoms), numbers, types, positions.ravel().tolist(), v=velocities, image=images)
    if int(lmp.get_natoms()) != len(atoms):
        raise EngineError(f"LAMMPS took {int(lmp.get_natoms())} of {len(atoms)} atoms into its box")


def standard_form(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotate a structure into LAMMPS's standard form; a cluster gets a box around it.

    Returns
    -------
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    positions : ndarray, shape (n_atoms, 3)
        Å, within it.
    rotation : ndarray, shape (3, 3)
        Of vectors, as ``vector @ rotation.T``.
    """
    if atoms.pbc.all():
        cell, rotation = atoms.cell.standard_form()
        return cell.array, atoms.get_scaled_positions(wrap=True) @ cell.array, rotation
    margin = 1.0
    low = atoms.positions.min(axis=0) - margin
    return np.diag(np.ptp(atoms.positions, axis=0) + 2 * margin), atoms.positions - low, np.eye(3)


def image_numbers(atoms: Atoms) -> np.ndarray:
    """Count the cells that each atom has crossed since the trajectory began, shape (n_atoms, 3).

    They are in ``arrays["images"]``, none if there are no such; an atom that stands outside its cell will be
    put back by `standard_form`, and has crossed one more.
    """
    images: np.ndarray = np.array(atoms.arrays.get("images", np.zeros((len(atoms), 3))), dtype=int)
    if "images" in atoms.arrays and atoms.pbc.all():
        moved = atoms.get_scaled_positions(wrap=False) - atoms.get_scaled_positions(wrap=True)
        images += np.round(moved).astype(int)
    return images


def is_tilted(cell: np.ndarray) -> bool:
    """Tell whether a lower triangular cell, Å, is more than a block."""
    return bool(np.abs(cell - np.diag(np.diag(cell))).max() > 1e-9)


def has_momenta(atoms: Atoms) -> bool:
    """Tell whether a structure brings velocities of its own."""
    return atoms.has("momenta") and bool(np.abs(atoms.get_momenta()).max(initial=0.0) > 0)


def is_triclinic(lmp: Any) -> bool:
    """Tell whether LAMMPS holds its box as a triclinic one, tilted or not."""
    return bool(lmp.extract_setting("triclinic"))


def read_cell(lmp: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read the box.

    Returns
    -------
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    origin : ndarray, shape (3,)
        Å.
    """
    low, high, xy, yz, xz = lmp.extract_box()[:5]
    lengths = np.array(high) - np.array(low)
    cell = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
    return cell, np.array(low)


def held_atoms(lmp: Any, n_atoms: int, elements: Sequence[str]) -> Atoms:
    """Read what LAMMPS holds, in the structure's order.

    Parameters
    ----------
    lmp
        A LAMMPS on one rank.
    n_atoms
        Without ghosts.
    elements
        In the order of the types.

    Returns
    -------
    Atoms
        Positions count from the box's origin if it is periodic; a shrink-wrapped one moves its own with the atoms.
    """
    cell, origin = read_cell(lmp)
    periodic = bool(all(lmp.extract_box()[5]))
    tags = lmp.numpy.extract_atom("id")[:n_atoms]
    positions = by_tag(lmp.numpy.extract_atom("x")[:n_atoms] - (origin if periodic else 0.0), tags)
    types = by_tag(lmp.numpy.extract_atom("type")[:n_atoms], tags)
    symbols = [elements[number - 1] for number in types]
    return Atoms(symbols, positions, cell=cell if periodic else None, pbc=periodic)


def by_tag(values: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Sort per-atom values from LAMMPS's local order into that of the structure."""
    ordered = np.empty_like(values)
    ordered[tags - 1] = values
    return ordered


def image_shifts(images: np.ndarray) -> np.ndarray:
    """Unpack image flags, shape (n_atoms,), into whole numbers of cells, shape (n_atoms, 3)."""
    mask = (1 << IMAGE_BITS) - 1
    return np.stack(
        [
            (images & mask) - IMAGE_OFFSET,
            (images >> IMAGE_BITS & mask) - IMAGE_OFFSET,
            (images >> 2 * IMAGE_BITS) - IMAGE_OFFSET,
        ],
        axis=1,
    )
