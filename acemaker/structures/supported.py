"""Reject structures with properties that acemaker does not support: constraints, masses and partial occupancies."""

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

MASS_TOLERANCE = 1e-3, 0.06
"""Largest difference of a mass from that of its element, relative and in u: masses in files are rounded, and isotopes
that matter for the dynamics differ by more."""

MAX_BYTES = 10_000_000
"""Number of bytes of a file that are searched for isotopes: species and sites are at its beginning."""

OCCUPANCY_TOLERANCE = 1e-3
"""Largest difference of an occupancy from 1 due to rounding in files."""

MASS_COLUMNS = {"masses", "mass", "atomic_mass", "atomic_masses", "isotope", "isotopes"}
"""Names in lower case of columns with masses in atomic mass units or mass numbers: those of ASE, and others that ASE
stores without interpreting them."""

FIXED_COLUMNS = {"fixed", "frozen", "fix", "freeze", "fix_atoms"}
"""Names of columns that mark fixed atoms; ASE stores them without fixing the atoms."""

MOVABLE_COLUMNS = {"move_mask", "selective_dynamics", "if_pos", "relax", "movable"}
"""Names of columns that mark atoms that are not fixed."""

OCCUPANCY_COLUMNS = {"occupancy", "occupancies", "occ"}
"""Names of columns with occupancies."""

FALSE_TEXTS = {"f", "false", ".false.", "no", "n", "0", "0.0", ""}
"""Values that mean false in columns of text."""

_CARD = re.compile(r"^[ \t]*ATOMIC_SPECIES\b.*$", re.M | re.I)
_HEAVY = re.compile(r"(D|T|[23]H)\d*[+-]?")


def check_supported(atoms: Atoms, where: str) -> None:
    """Check that a structure has no constraints, isotope masses or partial occupancies.

    Parameters
    ----------
    atoms
        The structure.
    where
        Origin of the structure, for the message.

    Raises
    ------
    StructureError
        The message contains the property, the number of atoms and a remedy.
    """
    if constraints := _describe_constraints(atoms):
        raise StructureError(
            f"{where} has constraints ({constraints}), which are not supported yet: all atoms would move. If this is "
            "intended, remove them (atoms.set_constraint(), the move_mask column of an extended XYZ file, 'Selective "
            "dynamics' of a POSCAR)"
        )
    for name, column in _columns(atoms, FIXED_COLUMNS | MOVABLE_COLUMNS):
        fixed = _is_true(column) if name.lower() in FIXED_COLUMNS else ~_is_true(column)
        if fixed.any():
            count = int(fixed.reshape(len(atoms), -1).any(axis=1).sum())
            raise StructureError(
                f"{where} marks {count} of {len(atoms)} atoms as fixed (column '{name}'), which is not supported yet: "
                "all atoms would move. If this is intended, remove the column"
            )
    for _, column in _columns(atoms, MASS_COLUMNS):
        if masses := _describe_masses(atoms, column):
            _raise_masses(where, masses)
    if occupancies := _describe_occupancies(atoms):
        raise StructureError(
            f"{where} has partially occupied sites ({occupancies}), which are not supported; assign one element to "
            "each of them, or remove it"
        )


def check_file(path: Path, where: str) -> None:
    """Check that a file has no isotopes that ASE ignores: masses of a pw.x input, heavy hydrogen of a CIF.

    Parameters
    ----------
    path
        File of any format.
    where
        Origin of the structure, for the message.

    Raises
    ------
    StructureError
        The message contains the element and its mass.
    """
    with path.open("rb") as stream:
        text = stream.read(MAX_BYTES).decode(errors="replace")
    for symbol, mass in _species(text):
        standard = float(atomic_masses[atomic_numbers[symbol]])
        if _differs(np.array([mass]), np.array([standard]))[0]:
            _raise_masses(where, f"{symbol} with {mass:g} instead of {standard:g} u")
    if isotope := _hydrogen_isotope(text):
        _raise_masses(where, f"{isotope} in place of H")


def _species(text: str) -> Iterator[tuple[str, float]]:
    """Read elements and masses from the ATOMIC_SPECIES card of a pw.x input; any other line ends the card."""
    card = _CARD.search(text)
    for line in text[card.end() :].splitlines() if card is not None else ():
        fields = line.split("!")[0].split("#")[0].split()
        if not fields:
            continue
        symbol = re.match(r"[A-Z][a-z]?", fields[0].capitalize())
        try:
            mass = float(fields[1].lower().replace("d", "e"))
        except (IndexError, ValueError):
            return
        if len(fields) < 3 or symbol is None or symbol[0] not in atomic_numbers:
            return
        yield symbol[0], mass


def _hydrogen_isotope(text: str) -> str:
    """Find an isotope of hydrogen among the sites of a CIF: by type, or by label if there are no types."""
    tags: list[str] = []
    for line in text.splitlines() if "_atom_site_" in text else ():
        fields = line.split()
        if not fields:
            continue
        if fields[0].lower().startswith("_atom_site_"):
            tags.append(fields[0].lower())
        elif fields[0].startswith(("_", "#")) or fields[0].lower().startswith(("loop_", "data_")):
            tags = []
        else:
            for tag, isotopes in (("_atom_site_type_symbol", ("D", "T", "2H", "3H")), ("_atom_site_label", ("D",))):
                if tag in tags and tags.index(tag) < len(fields):
                    isotope = _HEAVY.fullmatch(fields[tags.index(tag)])
                    if isotope is not None and isotope[1] in isotopes:
                        return isotope[1]
                    break
    return ""


def _raise_masses(where: str, masses: str) -> None:
    raise StructureError(
        f"{where} has masses other than those of its elements ({masses}), which are not supported yet: isotopes would "
        "move with the masses of the elements. If this is intended, remove the masses, or name the element"
    )


def _columns(atoms: Atoms, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    for name, column in atoms.arrays.items():
        if name.lower() in names:
            yield name, np.asarray(column)


def _is_true(column: np.ndarray) -> np.ndarray:
    """Convert a column of numbers or text to Boolean values."""
    if column.dtype.kind in "biuf":
        return column.astype(bool)
    texts = [str(value).strip().lower() for value in column.ravel()]
    values: np.ndarray = np.array([text not in FALSE_TEXTS for text in texts]).reshape(column.shape)
    return values


def _describe_constraints(atoms: Atoms) -> str:
    """Count the constraints that fix something, by kind."""
    kinds: Counter[str] = Counter()
    for constraint in atoms.constraints:
        mask = getattr(constraint, "mask", True)  # a constraint with an all-false mask fixes nothing
        indices = np.atleast_1d(getattr(constraint, "index", getattr(constraint, "a", [0])))
        if np.any(mask) and len(indices):
            kinds[type(constraint).__name__] += len(indices) if hasattr(constraint, "index") else 0
    return ", ".join(f"{kind} on {n} of {len(atoms)} atoms" if n else kind for kind, n in sorted(kinds.items()))


def _describe_masses(atoms: Atoms, column: np.ndarray) -> str:
    """Describe the first element whose masses differ from the standard one; empty if there is none."""
    try:
        masses = column.astype(float).reshape(len(atoms))
    except ValueError:
        return ""
    standard = atomic_masses[atoms.numbers]
    differs = _differs(masses, standard)
    if not differs.any():
        return ""
    number = atoms.numbers[differs][0]
    of_element = differs & (atoms.numbers == number)
    symbol = atoms.symbols[int(np.flatnonzero(of_element)[0])]
    mass, expected = masses[of_element][0], standard[of_element][0]
    return f"{int(of_element.sum())} {symbol} with {mass:g} instead of {expected:g} u"


def _differs(masses: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Compare masses with those of the elements; zero, NaN, and 1 for elements other than hydrogen are placeholders."""
    relative, absolute = MASS_TOLERANCE
    placeholder = ~np.isfinite(masses) | (masses == 0) | ((masses == 1) & (standard > 2))
    rounded = masses == np.round(standard)  # also accepts mass numbers
    tolerance = np.maximum(relative * standard, absolute)
    differs: np.ndarray = ~placeholder & ~rounded & (np.abs(masses - standard) > tolerance)
    return differs


def _describe_occupancies(atoms: Atoms) -> str:
    """Describe the first site that is shared or partially empty, from a CIF or a column; empty if there is none."""
    occupancy = atoms.info.get("occupancy")
    for site in occupancy.values() if isinstance(occupancy, dict) else ():
        if isinstance(site, dict) and (len(site) > 1 or any(_is_partial(share) for share in site.values())):
            return ", ".join(f"{share} {symbol}" for symbol, share in site.items())
    for name, column in _columns(atoms, OCCUPANCY_COLUMNS):
        shares = [share for share in column.ravel() if _is_partial(share)]
        if shares and _is_true(column).any():  # a column of zeros is a placeholder
            return f"{shares[0]}, in the column '{name}'"
    return ""


def _is_partial(share: Any) -> bool:
    """Return whether an occupancy is less than 1; values that are not numbers, such as '?', are not."""
    try:
        return float(share) < 1 - OCCUPANCY_TOLERANCE
    except (TypeError, ValueError):
        return False
