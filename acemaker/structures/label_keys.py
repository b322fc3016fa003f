"""Energies, forces and stresses of labels under the names that people write them with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ase import Atoms

from acemaker.errors import StructureError

Quantity = Literal["energy", "forces", "stress", "virial"]

NAMES: dict[Quantity, tuple[str, ...]] = {
    "energy": ("energy", "energies", "e", "etot", "total_energy", "potential_energy"),
    "forces": ("forces", "force", "f"),
    "stress": ("stress", "stresses"),
    "virial": ("virial", "virials"),
}
"""Names without prefix, in lower case, the most usual one first."""

FREE_ENERGY = "free_energy"
"""The energy to which forces belong if there is a smearing, which programs write beside the one at zero width."""

RELATIVE = ("energy_corrected", "energy_corrected_per_atom")
"""Columns of pacemaker with energies relative to isolated atoms."""

PREFIX = "(?:ref|dft|qm|vasp|qe|pbe|label|target|true)_"
"""Prefixes of the results that a potential is to be trained on."""

SAME = 1e-6
"""eV; largest difference of two energies of one structure under several names."""


@dataclass(frozen=True, kw_only=True)
class LabelRecord:
    """A structure of a file with its results, before they are checked.

    Attributes
    ----------
    index : int
        Position in the file, from 0.
    atoms : Atoms
        The structure as it was read, without results.
    energy : float or None
        eV.
    forces : ndarray, shape (n_atoms, 3), or None
        eV/Å.
    stress : ndarray, shape (6,), or None
        In Voigt order (xx, yy, zz, yz, xz, xy), with the sign and in the unit of the file; a virial is not divided by
        the volume.
    quantity : str
        ``"stress"``, ``"virial"``, or ``""`` for a stress in eV/Å^3 that is positive under tension.
    moments : mapping of str to float or ndarray
        ``magmom`` and ``magmoms`` among the results.
    problem : str
        Why the results cannot be used; empty if they can.
    """

    index: int
    atoms: Atoms
    energy: float | None = None
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    quantity: str = ""
    moments: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def quantity_of(name: str) -> Quantity | None:
    """Return what a name stands for; None if it is no result of a label.

    Parameters
    ----------
    name
        Name of an entry, an array or a column.

    Examples
    --------
    >>> [quantity_of(name) for name in ("REF_energy", "dft_forces", "E", "virials", "kinetic_energy")]
    ['energy', 'forces', 'energy', 'virial', None]
    """
    bare = re.sub(f"^{PREFIX}", "", name.lower())
    for quantity, names in NAMES.items():
        if bare in names:
            return quantity
    return None


def record_of(
    index: int, atoms: Atoms, entries: Mapping[str, Any], names: Mapping[str, str], *, by_ase: bool = False
) -> LabelRecord:
    """Choose the results of a label among named entries.

    Parameters
    ----------
    index
        Position in the file, from 0.
    atoms
        The structure.
    entries
        Values by name: entries of the comment line, arrays of the atoms, results of a calculator, or columns.
    names
        The user's names of ``energy``, ``forces``, ``stress`` and ``virial``, as far as they are not usual.
    by_ase
        Whether the entries are results of ASE's calculators, whose stress is in eV/Å^3 and positive under tension.

    Returns
    -------
    LabelRecord
        With a problem if a result is missing or cannot be read.

    Raises
    ------
    StructureError
        If several entries are the energy, or the forces, with different values.
    """
    values: dict[str, np.ndarray] = {}
    for quantity in NAMES:
        chosen = _chosen(quantity, entries, names, len(atoms))
        if chosen is not None:
            values[quantity] = chosen
    kind, stress, problem = "", None, ""
    for name in ("stress", "virial"):
        if name in values:
            try:
                kind, stress = name, voigt_of(values[name])
            except StructureError as error:
                problem = str(error)
            break
    if by_ase and kind == "stress":
        kind = ""
    energy, forces = values.get("energy"), values.get("forces")
    if energy is None:
        relative = [name for name in RELATIVE if name in entries]
        more = f"; {relative[0]} is relative to isolated atoms" if relative else ""
        problem = f"no energy{more}"
    elif energy.size != 1:
        problem, energy = f"expected one number as energy, got an array of shape {energy.shape}", None
    if forces is None and len(atoms) == 1:
        forces = np.zeros((1, 3))  # by symmetry, if the atom has no neighbors, which is checked later
    elif forces is None:
        problem = problem or "no forces"
    elif forces.size != 3 * len(atoms):
        problem, forces = f"expected forces of shape ({len(atoms)}, 3), got {forces.shape}", None
    return LabelRecord(
        index=index,
        atoms=atoms,
        energy=None if energy is None else float(energy.reshape(())),
        forces=None if forces is None else forces.reshape(len(atoms), 3),
        stress=stress,
        quantity=kind,
        moments={name: entries[name] for name in ("magmom", "magmoms") if entries.get(name) is not None},
        problem=problem,
    )


def voigt_of(values: np.ndarray) -> np.ndarray:
    """Return six or nine numbers as (xx, yy, zz, yz, xz, xy).

    Raises
    ------
    StructureError
        If there are other numbers of them, or the nine numbers are not symmetric.
    """
    if values.size == 6:
        return values.reshape(6).astype(float)
    if values.size != 9:
        raise StructureError(f"expected six or nine numbers as stress or virial, got {values.size}")
    matrix = values.reshape(3, 3).astype(float)
    if np.abs(matrix - matrix.T).max() > 1e-2 * max(float(np.abs(matrix).max()), 1e-6):
        raise StructureError("the nine numbers of a stress or virial are not symmetric")
    if not np.array_equal(matrix, matrix.T):
        matrix = 0.5 * (matrix + matrix.T)
    return np.array([matrix[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])


def _chosen(
    quantity: Quantity, entries: Mapping[str, Any], names: Mapping[str, str], n_atoms: int
) -> np.ndarray | None:
    """Return the value of a quantity; None if there is none."""
    if (own := names.get(quantity)) is not None:
        return _numbers(entries[own]) if entries.get(own) is not None else None
    numbers = {name: _numbers(value) for name, value in entries.items() if quantity_of(name) == quantity}
    found = {name: value for name, value in numbers.items() if value is not None}
    if quantity == "energy":  # energies of the atoms are something else
        found = {name: value for name, value in found.items() if value.size == 1 or n_atoms == 1}
        usual = [name for name in found if name == "energy"]
        if entries.get(FREE_ENERGY) is not None and (usual or not found):
            free = _numbers(entries[FREE_ENERGY])
            if free is not None and free.size == 1:
                found = {name: value for name, value in found.items() if name not in usual} | {FREE_ENERGY: free}
    if not found:
        return None
    (first, value), *others = found.items()
    for name, other in others:
        if other.size != value.size or not np.allclose(other.ravel(), value.ravel(), rtol=0, atol=SAME, equal_nan=True):
            raise StructureError(
                f"{first} and {name} are both {quantity}, with different values: name the one to use, "
                f"first_labels_names={{{quantity!r}: {name!r}}}, or remove the other one"
            )
    return value


def _numbers(value: Any) -> np.ndarray | None:
    """Return a value as an array of numbers; None if it is none."""
    try:
        array = np.asarray(value)
    except ValueError:  # ragged lists
        return None
    if array.dtype.kind not in "fiu":
        return None
    return array.astype(float)
