"""What a structure may carry that nothing here would keep: it is refused by name, never dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from acemaker.errors import StructureError

MASS_TOLERANCE = 1e-3
"""Share by which a mass may differ from its element's: tables round differently, isotopes differ by more."""

OCCUPANCY_TOLERANCE = 1e-3
"""By which an occupancy may differ from 1: files round."""

MASSES = {"masses", "mass", "atomic_mass", "atomic_masses", "isotope", "isotopes"}
"""Columns of masses in atomic mass units, or of mass numbers, in lower case: ASE's own, and those that it keeps as they
are."""

HELD = {"fixed", "frozen", "fix", "freeze", "fix_atoms"}
"""Columns in which people mark atoms that do not move; ASE keeps them, and fixes nothing."""

FREE = {"move_mask", "selective_dynamics", "if_pos", "relax", "movable"}
"""The same, of atoms that move."""

OCCUPANCIES = {"occupancy", "occupancies", "occ"}
"""Columns of occupancies."""

NO = {"f", "false", ".false.", "no", "n", "0", "0.0", ""}
"""Words for no in columns of text."""

_SPECIES = re.compile(r"^\s*ATOMIC_SPECIES.*?\n((?:\s*[A-Z][a-z]?\S*\s+[-+.\deEdD]+\s+\S+[^\n]*\n?)+)", re.M | re.I)
_HEAVY = re.compile(r"^\s*[A-Z]\w*\s+(D|T|[23]H)\d*[+-]?\s", re.M)


def check_supported(atoms: Atoms, where: str) -> None:
    """Refuse a structure with constraints, masses or occupancies that a campaign would not keep.

    Parameters
    ----------
    atoms
        The structure.
    where
        What it is, for the message: where it comes from.

    Raises
    ------
    StructureError
        It names what there is, on how many atoms, and what to do.
    """
    if held := _held(atoms):
        raise StructureError(
            f"{where} has constraints ({held}), which are not supported yet: all atoms would move. If that is meant, "
            "remove them (atoms.set_constraint(), the move_mask column of an extended XYZ file, 'Selective dynamics' "
            "of a POSCAR)"
        )
    for name, column in _columns(atoms, HELD | FREE):
        marked = _marks(column) if name.lower() in HELD else ~_marks(column)
        if marked.any():
            count = int(marked.reshape(len(atoms), -1).any(axis=1).sum())
            raise StructureError(
                f"{where} marks {count} of {len(atoms)} atoms as fixed (column '{name}'), which is not supported yet: "
                "all atoms would move. If that is meant, remove the column"
            )
    for _, column in _columns(atoms, MASSES):
        if other := _other_masses(atoms, column):
            _refuse_masses(where, other)
    if partial := _partial(atoms):
        raise StructureError(
            f"{where} has sites that are occupied in part ({partial}): decide for each which element it has, or none"
        )


def check_file(path: Path, where: str) -> None:
    """Refuse a file with isotopes that ASE's reader drops: masses of a pw.x input, heavy hydrogen of a CIF.

    Parameters
    ----------
    path
        The file, of any format.
    where
        What it is, for the message.

    Raises
    ------
    StructureError
        It names the element and its mass.
    """
    text = path.read_bytes()[:10_000_000].decode(errors="replace")
    for block in _SPECIES.findall(text):
        for line in block.splitlines():
            label, mass = line.split()[:2]
            symbol = re.match(r"[A-Z][a-z]?", label.capitalize())
            if symbol is None or symbol[0] not in atomic_numbers:
                continue
            usual, given = atomic_masses[atomic_numbers[symbol[0]]], float(mass.lower().replace("d", "e"))
            if given > 0 and abs(given - usual) > MASS_TOLERANCE * usual:
                _refuse_masses(where, f"{symbol[0]} with {given:g} instead of {usual:g} u")
    if "_atom_site" in text and (heavy := _HEAVY.search(text)):
        _refuse_masses(where, f"{heavy[1]} in place of H")


def _refuse_masses(where: str, other: str) -> None:
    raise StructureError(
        f"{where} has masses that are not those of its elements ({other}), which are not supported yet: isotopes would "
        "move as their elements do. If that is meant, remove the masses, or name the element"
    )


def _columns(atoms: Atoms, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    for name, column in atoms.arrays.items():
        if name.lower() in names:
            yield name, np.asarray(column)


def _marks(column: np.ndarray) -> np.ndarray:
    """Read a column of marks, whatever stands for yes and no."""
    if column.dtype.kind in "biuf":
        return column.astype(bool)
    marks: np.ndarray = np.array([str(mark).strip().lower() not in NO for mark in column.ravel()]).reshape(column.shape)
    return marks


def _held(atoms: Atoms) -> str:
    """Count by kind the constraints that hold something."""
    kinds: Counter[str] = Counter()
    for constraint in atoms.constraints:
        holds = getattr(constraint, "mask", True)  # a mask of atoms that may all move holds nothing
        indices = np.atleast_1d(getattr(constraint, "index", getattr(constraint, "a", [0])))
        if np.any(holds) and len(indices):
            kinds[type(constraint).__name__] += len(indices) if hasattr(constraint, "index") else 0
    return ", ".join(f"{kind} on {n} of {len(atoms)} atoms" if n else kind for kind, n in sorted(kinds.items()))


def _other_masses(atoms: Atoms, column: np.ndarray) -> str:
    """List an element with masses of its own; a column of zeros, or of no numbers, says nothing."""
    try:
        given = column.astype(float).reshape(len(atoms))
    except ValueError:
        return ""
    usual = atomic_masses[atoms.numbers]
    if not np.nan_to_num(given).any():
        return ""
    whole = np.round(usual) == given  # a mass number, as of the column 'isotope'
    wrong = ~((np.abs(given - usual) <= MASS_TOLERANCE * usual) | (whole & (given == np.round(given))))
    if not wrong.any():
        return ""
    number = atoms.numbers[wrong][0]
    of = wrong & (atoms.numbers == number)
    symbol = atoms.symbols[int(np.flatnonzero(of)[0])]
    return f"{int(of.sum())} {symbol} with {given[of][0]:g} instead of {usual[of][0]:g} u"


def _partial(atoms: Atoms) -> str:
    """Name the first site that is shared, or empty in part: of a CIF, or of a column."""
    occupancy = atoms.info.get("occupancy")
    for site in occupancy.values() if isinstance(occupancy, dict) else ():
        if isinstance(site, dict) and (len(site) > 1 or any(_is_part(share) for share in site.values())):
            return ", ".join(f"{share} {symbol}" for symbol, share in site.items())
    for name, column in _columns(atoms, OCCUPANCIES):
        for share in column.ravel():
            if _is_part(share):
                return f"{share}, in the column '{name}'"
    return ""


def _is_part(share: Any) -> bool:
    """Tell whether an occupancy is less than 1; one that is no number, '?' say, is not known to be."""
    try:
        return float(share) < 1 - OCCUPANCY_TOLERANCE
    except (TypeError, ValueError):
        return False
