"""Transfer of structures to and from a running LAMMPS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms, units

from acemaker.errors import EngineError
from acemaker.lammps import script
from acemaker.lammps.script import box_commands

ANGSTROM_PER_PS = 1000 * units.fs
"""Conversion factor from ASE's unit of velocity to LAMMPS's."""

OFF_FACE = 1e-10
"""Scaled coordinate of frozen atoms on a face of a tilted box: LAMMPS rounds positions in tilted boxes, and would not
read a restart file with an atom that the rounding has moved outside."""

IMAGE_BITS, IMAGE_OFFSET = 10, 512
"""Packing of image flags in LAMMPS's default build."""


def put_structure(lmp: Any, atoms: Atoms, elements: Sequence[str], triclinic: bool) -> None:
    """Create box and atoms.

    Parameters
    ----------
    lmp
        LAMMPS instance whose units, atom style and boundary are set.
    atoms
        Structure, which is rotated into LAMMPS's standard form. Momenta and ``arrays["images"]`` are transferred.
    elements
        Chemical symbols in the order of their types.
    triclinic
        Whether the box may become tilted, even if it is not yet.

    Raises
    ------
    EngineError
        If LAMMPS did not create all atoms.
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
        raise EngineError(
            f"LAMMPS created {int(lmp.get_natoms())} of {len(atoms)} atoms; check the positions and the cell of the "
            "structure"
        )


def group_of(atoms: Atoms) -> str:
    """Return the group of the atoms that move: `script.MOBILE` if the structure has ``arrays["frozen"]``."""
    return script.MOBILE if "frozen" in atoms.arrays else script.ALL


def atom_commands(atoms: Atoms, *, restored: bool) -> list[str]:
    """Return the commands for ``arrays["masses"]`` and ``arrays["frozen"]`` of a structure.

    Parameters
    ----------
    atoms
        The structure.
    restored
        Whether LAMMPS has read its atoms from a restart file.

    Returns
    -------
    list of str
        Commands after the atoms have been created or read, and before velocities are drawn; empty for a structure
        without these arrays.
    """
    commands = []
    if "masses" in atoms.arrays:
        commands += script.atom_mass_commands(atoms.get_masses(), restored=restored)
    if "frozen" in atoms.arrays:
        commands += script.group_commands(atoms.arrays["frozen"])
    return commands


def standard_form(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotate a structure into LAMMPS's standard form; a cluster is enclosed in a box.

    Returns
    -------
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    positions : ndarray, shape (n_atoms, 3)
        Å, within the cell.
    rotation : ndarray, shape (3, 3)
        Rotation of vectors, applied as ``vector @ rotation.T``.
    """
    if atoms.pbc.all():
        atoms = right_handed(atoms)
        cell, rotation = atoms.cell.standard_form()
        scaled = atoms.get_scaled_positions(wrap=True)
        if "frozen" in atoms.arrays and is_tilted(cell.array):
            frozen = atoms.arrays["frozen"]
            on_face = frozen[:, None] & (np.abs(scaled - np.round(scaled)) < OFF_FACE)
            scaled[on_face] = OFF_FACE
        return cell.array, scaled @ cell.array, rotation
    margin = 1.0
    low = atoms.positions.min(axis=0) - margin
    return np.diag(np.ptp(atoms.positions, axis=0) + 2 * margin), atoms.positions - low, np.eye(3)


def right_handed(atoms: Atoms) -> Atoms:
    """Return a structure whose cell vectors are right-handed, as LAMMPS and pyace require.

    Parameters
    ----------
    atoms
        Any structure; one that is not periodic is returned as it is.

    Returns
    -------
    Atoms
        `atoms` itself, or a copy with the opposite of all three cell vectors, which span the same lattice. Atoms are
        neither moved nor mirrored.

    Examples
    --------
    >>> from ase.build import bulk
    >>> copper = bulk("Cu")
    >>> copper.cell = copper.cell.array[[1, 0, 2]]
    >>> bool(np.linalg.det(right_handed(copper).cell.array) > 0)
    True
    """
    if not atoms.pbc.all() or np.linalg.det(atoms.cell.array) >= 0:
        return atoms
    copy = atoms.copy()
    copy.set_cell(-atoms.cell.array, scale_atoms=False)
    return copy


def image_numbers(atoms: Atoms) -> np.ndarray:
    """Count the cells that each atom has crossed since the trajectory began, shape (n_atoms, 3).

    The numbers are taken from ``arrays["images"]``, or are zero if there is no such array. An atom outside the cell,
    which `standard_form` wraps, has crossed one more.
    """
    images: np.ndarray = np.array(atoms.arrays.get("images", np.zeros((len(atoms), 3))), dtype=int)
    if right_handed(atoms) is not atoms:
        atoms, images = right_handed(atoms), -images
    if "images" in atoms.arrays and atoms.pbc.all():
        moved = atoms.get_scaled_positions(wrap=False) - atoms.get_scaled_positions(wrap=True)
        images += np.round(moved).astype(int)
    return images


def is_tilted(cell: np.ndarray) -> bool:
    """Return whether a lower triangular cell, Å, is not orthogonal."""
    return bool(np.abs(cell - np.diag(np.diag(cell))).max() > 1e-9)


def has_momenta(atoms: Atoms) -> bool:
    """Return whether a structure has velocities."""
    return atoms.has("momenta") and bool(np.abs(atoms.get_momenta()).max(initial=0.0) > 0)


def is_triclinic(lmp: Any) -> bool:
    """Return whether LAMMPS treats its box as triclinic, tilted or not."""
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
    """Read the atoms of LAMMPS, in the order of the structure.

    Parameters
    ----------
    lmp
        LAMMPS instance on one rank.
    n_atoms
        Number of atoms without ghosts.
    elements
        Chemical symbols in the order of the types.

    Returns
    -------
    Atoms
        Positions are relative to the origin of the box if it is periodic. The origin of a shrink-wrapped box moves with
        the atoms.
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
    """Unpack image flags, shape (n_atoms,), into integer numbers of cells, shape (n_atoms, 3)."""
    mask = (1 << IMAGE_BITS) - 1
    return np.stack(
        [
            (images & mask) - IMAGE_OFFSET,
            (images >> IMAGE_BITS & mask) - IMAGE_OFFSET,
            (images >> 2 * IMAGE_BITS) - IMAGE_OFFSET,
        ],
        axis=1,
    )
