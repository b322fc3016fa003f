"""Constraints, masses and occupancies of initial structures: what is used, and what is refused by name."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from acemaker.errors import StructureError
from acemaker.structures.moments import with_computed_moments
from acemaker.structures.per_atom import FROZEN, MASSES

logger = logging.getLogger("acemaker")

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

FIXED_COLUMNS = {
    "fixed",
    FROZEN,
    "fix",
    "freeze",
    "fix_atoms",
    "is_fixed",
    "is_frozen",
    "fixed_mask",
    "frozen_mask",
    "fixed_atoms",
    "frozen_atoms",
}
"""Names in lower case of columns that mark fixed atoms; ASE stores them without fixing the atoms."""

MOVABLE_COLUMNS = {"move_mask", "movemask", "selective_dynamics", "if_pos", "relax", "movable", "is_movable"}
"""Names of columns that mark atoms that are not fixed."""

LIKE_FIXED = re.compile(r"fix|froz|freez|constr|mov|mobile|selecti|dof|relax|rigid|clamp|static", re.I)
"""Names of columns that may mark fixed atoms, but do not tell which of their values means fixed."""

OCCUPANCY_COLUMNS = {"occupancy", "occupancies", "occ"}
"""Names of columns with occupancies."""

TRUE_TEXTS = {"t", "true", ".true.", "yes", "y", "1", "1.0"}
FALSE_TEXTS = {"f", "false", ".false.", "no", "n", "0", "0.0", ""}
"""Values in lower case that mean true and false in columns of marks."""

HYDROGEN = {2: 2.01410177812, 3: 3.0160492779}
"""Masses of deuterium and tritium (u), by mass number."""

PLAIN = str | int | float | np.generic | np.ndarray
"""Types of entries of ``info`` that are written to files."""

_CARD = re.compile(r"^[ \t]*ATOMIC_SPECIES\b.*$", re.M | re.I)
_POSITIONS = re.compile(r"^[ \t]*ATOMIC_POSITIONS\b.*$", re.M | re.I)
_HEAVY = re.compile(r"(D|T|[23]H)\d*[+-]?")


def as_initial(atoms: Atoms, where: str) -> Atoms:
    """Turn constraints, masses and magnetic moments of a structure into arrays of `acemaker.structures.per_atom`.

    Atoms that cannot move in any direction become ``arrays["frozen"]``: those of ``FixAtoms``, of ``FixCartesian`` and
    ``FixScaled`` in all three directions, and those that a column such as ``fixed`` or ``move_mask`` marks. Masses that
    differ from those of the elements, also in columns such as ``mass`` or ``isotope``, become ``arrays["masses"]``.
    Other columns whose names are similar and whose values are true and false are not used, which is logged.
    Computed magnetic moments become initial ones, unless there are some.

    Parameters
    ----------
    atoms
        The structure, which is not changed.
    where
        Origin of the structure, for the message.

    Returns
    -------
    Atoms
        `atoms` itself if it has none of these, otherwise a copy without constraints and without the columns. Entries
        of ``info`` that files cannot contain are removed, too.

    Raises
    ------
    StructureError
        For other constraints, columns that cannot be interpreted, masses that are not positive, partially occupied
        sites, or if all atoms are fixed. The message contains the property, the number of atoms and a remedy.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.constraints import FixAtoms
    >>> atoms = bulk("Cu", cubic=True)
    >>> atoms.set_constraint(FixAtoms([0, 1]))
    >>> initial = as_initial(atoms, "the structure")
    >>> initial.arrays["frozen"].tolist(), initial.constraints
    ([True, True, False, False], [])
    """
    atoms = with_computed_moments(atoms, where)
    frozen, masses = _frozen(atoms, where), _masses(atoms, where)
    if occupancies := _describe_occupancies(atoms):
        raise StructureError(
            f"{where} has partially occupied sites ({occupancies}), which are not supported; assign one element to "
            "each of them, or remove it"
        )
    names = [name for name in atoms.arrays if name.lower() in FIXED_COLUMNS | MOVABLE_COLUMNS | MASS_COLUMNS]
    _warn_of_similar(atoms, where)
    # notes that extended XYZ files cannot contain, such as the description of the sites by ase.build.fcc111
    notes = [key for key, value in atoms.info.items() if not isinstance(value, PLAIN)]
    if not names and not notes and not atoms.constraints:
        return atoms
    copy = atoms.copy()
    copy.set_constraint()
    for key in notes:
        del copy.info[key]
    for name in names:
        del copy.arrays[name]
    if frozen.any():
        copy.arrays[FROZEN] = frozen
    if masses is not None:
        copy.arrays[MASSES] = masses
    return copy


def check_supported(atoms: Atoms, where: str) -> None:
    """Check that `as_initial` accepts a structure.

    Raises
    ------
    StructureError
        As `as_initial`.
    """
    as_initial(atoms, where)


def _frozen(atoms: Atoms, where: str) -> np.ndarray:
    """Return which atoms are fixed in all directions, from the constraints or from a column."""
    if constraints := _describe_constraints(atoms):
        raise StructureError(
            f"{where} has constraints ({constraints}), which are not supported: only atoms that are fixed in all three "
            "directions are, as by ASE's FixAtoms. Fix these atoms completely or remove the constraints "
            "(atoms.set_constraint(), the move_mask column of an extended XYZ file, 'Selective dynamics' of a POSCAR)"
        )
    frozen = np.zeros(len(atoms), dtype=bool)
    for constraint in filter(_fixes_atoms, atoms.constraints):
        frozen[constraint.index] = True
    source = "the constraints" if frozen.any() else ""
    for name, column in _columns(atoms, FIXED_COLUMNS | MOVABLE_COLUMNS):
        truth = _truth(column, len(atoms), f"{where} has a column '{name}'")
        fixed = truth if name.lower() in FIXED_COLUMNS else ~truth
        partial = fixed.any(axis=1) & ~fixed.all(axis=1)
        if partial.any():
            raise StructureError(
                f"{where} marks {int(partial.sum())} of {len(atoms)} atoms as fixed in some directions (column "
                f"'{name}'), which is not supported: fix them in all three directions or in none, or remove the column"
            )
        if not fixed.any():
            continue
        if source and not np.array_equal(frozen, fixed[:, 0]):
            raise StructureError(
                f"{where} marks other atoms as fixed in the column '{name}' than in {source}; remove one of the two"
            )
        frozen, source = fixed[:, 0], f"the column '{name}'"
    if frozen.all():
        raise StructureError(
            f"{where} has {len(atoms)} of {len(atoms)} atoms fixed, so that nothing would move; leave some of them free"
        )
    return frozen


def _warn_of_similar(atoms: Atoms, where: str) -> None:
    """Log columns that seem to mark some atoms as fixed under a name that is not interpreted."""
    interpreted = FIXED_COLUMNS | MOVABLE_COLUMNS | MASS_COLUMNS | OCCUPANCY_COLUMNS
    for name, column in atoms.arrays.items():
        if name.lower() in interpreted or not LIKE_FIXED.search(name):
            continue
        texts = {str(value).strip().lower() for value in np.asarray(column).ravel()}
        if texts <= TRUE_TEXTS | FALSE_TEXTS and texts & TRUE_TEXTS and texts & FALSE_TEXTS:
            logger.warning(
                f"{where} has a column '{name}' of true and false that is not used and fixes no atoms. If "
                "it marks fixed atoms, name it 'fixed' (true: does not move) or 'move_mask' (true: moves)"
            )


def _fixes_atoms(constraint: Any) -> bool:
    """Return whether a constraint fixes atoms in all three directions."""
    name = type(constraint).__name__
    return name == "FixAtoms" or (name in ("FixCartesian", "FixScaled") and bool(np.all(constraint.mask)))


def _truth(column: np.ndarray, n_atoms: int, what: str) -> np.ndarray:
    """Convert a column of marks, shape (n_atoms,) or (n_atoms, 3), to Boolean values, shape (n_atoms, 1) or more."""
    texts = np.array([str(value).strip().lower() for value in column.ravel()]).reshape(column.shape)
    values = np.full(column.shape, -1)
    values[np.isin(texts, sorted(TRUE_TEXTS))] = 1
    values[np.isin(texts, sorted(FALSE_TEXTS))] = 0
    if column.shape not in ((n_atoms,), (n_atoms, 1), (n_atoms, 3)) or (values < 0).any():
        unclear = next(iter(texts[values < 0].tolist()), f"an array of shape {column.shape}")
        raise StructureError(
            f"{what} that seems to mark fixed atoms, but contains {unclear!r}; expected true or false for each atom, "
            "or for each atom and direction. Correct it, or remove the column"
        )
    truth: np.ndarray = (values > 0).reshape(n_atoms, -1)
    return truth


def _masses(atoms: Atoms, where: str) -> np.ndarray | None:
    """Return the masses if they differ from those of the elements, u, shape (n_atoms,)."""
    masses, source = None, ""
    for name, column in _columns(atoms, MASS_COLUMNS):
        values = _mass_values(atoms, name, column, where)
        if values is None:
            continue
        if masses is not None and _differs(values, masses).any():
            raise StructureError(
                f"{where} has other masses in the column '{name}' than in '{source}'; remove one of them"
            )
        if masses is None or name == MASSES:
            masses, source = values, name
    return masses


def _mass_values(atoms: Atoms, name: str, column: np.ndarray, where: str) -> np.ndarray | None:
    """Read a column of masses or mass numbers; None if it says no more than the elements."""
    try:
        values = column.astype(float).reshape(len(atoms))
    except ValueError:
        return None
    standard = atomic_masses[atoms.numbers]
    isotopes = "isotope" in name.lower()
    if isotopes:
        for mass_number, mass in HYDROGEN.items():
            values[(atoms.numbers == 1) & (values == mass_number)] = mass
    if (negative := values < 0).any():
        index = int(np.flatnonzero(negative)[0])
        raise StructureError(
            f"{where} has a mass of {values[index]:g} u at atom {index} ({atoms.symbols[index]}) in the column "
            f"'{name}'; masses must be positive: correct or remove them"
        )
    placeholder = (values == 1) & (standard > 2)
    if name == MASSES and placeholder.any():
        index = int(np.flatnonzero(placeholder)[0])
        raise StructureError(
            f"{where} has a mass of 1 u at atom {index} ({atoms.symbols[index]}), which programs write if they do not "
            "know it; set the mass, or remove the column 'masses'"
        )
    differs = _differs(values, standard) & ~placeholder
    if isotopes:
        differs &= values != np.round(standard)
    return np.where(differs, values, standard) if differs.any() else None


def with_masses_of_file(path: Path, atoms: Atoms, where: str) -> Atoms:
    """Return a structure with the masses of its file that ASE's readers ignore: those of pw.x's ATOMIC_SPECIES.

    Parameters
    ----------
    path
        File of any format, from which `atoms` was read.
    atoms
        The structure.
    where
        Origin of the structure, for the message.

    Returns
    -------
    Atoms
        `atoms` itself, or a copy with ``arrays["masses"]``.

    Raises
    ------
    StructureError
        If the file contains isotopes that cannot be assigned to atoms; the message contains the element and its mass.
    """
    with path.open("rb") as stream:
        text = stream.read(MAX_BYTES).decode(errors="replace")
    isotope = _hydrogen_isotope(text)
    # of these symbols ASE reads only D, as hydrogen with another mass
    if isotope and not (isotope == "D" and MASSES in atoms.arrays):
        _raise_masses(where, f"{isotope} in place of H")
    species = list(_species(text))
    special = [
        (symbol, mass)
        for _, symbol, mass in species
        if _differs(np.array([mass]), np.array([_standard(symbol)]))[0] and not _is_placeholder(symbol, mass)
    ]
    if not special:
        return atoms
    of_element: dict[str, set[float]] = {}
    for _, symbol, mass in species:
        of_element.setdefault(symbol, set()).add(mass)
    if all(len(masses) == 1 for masses in of_element.values()):
        masses = [next(iter(of_element.get(symbol, {0.0}))) for symbol in atoms.symbols]
    else:
        labels, of_label = _labels(text), {label.lower(): mass for label, _, mass in species}
        if len(labels) != len(atoms) or not {label.lower() for label in labels} <= set(of_label):
            _raise_masses(where, ", ".join(f"{symbol} with {mass:g} u" for symbol, mass in special))
        masses = [of_label[label.lower()] for label in labels]
    copy = atoms.copy()
    copy.set_array(MASSES, np.array(masses, dtype=float))
    placeholder = np.array(list(map(_is_placeholder, copy.symbols, masses)))
    copy.arrays[MASSES][placeholder] = atomic_masses[copy.numbers][placeholder]
    return copy


def _is_placeholder(symbol: str, mass: float) -> bool:
    """Return whether a mass in a pw.x input means nothing, since pw.x does not use it for a single calculation."""
    return mass == 0 or (mass == 1 and _standard(symbol) > 2) or mass == round(_standard(symbol))


def _standard(symbol: str) -> float:
    return float(atomic_masses[atomic_numbers[symbol]])


def _species(text: str) -> Iterator[tuple[str, str, float]]:
    """Read labels, elements and masses from the ATOMIC_SPECIES card of a pw.x input; any other line ends the card."""
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
        yield fields[0], symbol[0], mass


def _labels(text: str) -> list[str]:
    """Read the labels of the atoms from the ATOMIC_POSITIONS card of a pw.x input; any other line ends the card."""
    labels: list[str] = []
    card = _POSITIONS.search(text)
    for line in text[card.end() :].splitlines() if card is not None else ():
        fields = line.split("!")[0].split("#")[0].split()
        if len(fields) >= 4:
            labels.append(fields[0])
        elif fields:
            break
    return labels


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
        f"{where} has masses other than those of its elements ({masses}), which cannot be assigned to its atoms; name "
        "the element in the file, and give the masses as a column 'masses' of an extended XYZ file (u), or as "
        "atoms.set_masses(...)"
    )


def _columns(atoms: Atoms, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    for name, column in atoms.arrays.items():
        if name.lower() in names:
            yield name, np.asarray(column)


def _describe_constraints(atoms: Atoms) -> str:
    """Count the constraints that restrict the motion without fixing atoms, by kind."""
    kinds: Counter[str] = Counter()
    for constraint in atoms.constraints:
        mask = getattr(constraint, "mask", True)  # a constraint with an all-false mask fixes nothing
        indices = np.atleast_1d(getattr(constraint, "index", getattr(constraint, "a", [0])))
        if np.any(mask) and len(indices) and not _fixes_atoms(constraint):
            kinds[type(constraint).__name__] += len(indices) if hasattr(constraint, "index") else 0
    return ", ".join(f"{kind} on {n} of {len(atoms)} atoms" if n else kind for kind, n in sorted(kinds.items()))


def _differs(masses: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Compare masses with those of the elements, within the rounding of files; zero and NaN are placeholders."""
    relative, absolute = MASS_TOLERANCE
    tolerance = np.maximum(relative * standard, absolute)
    differs: np.ndarray = np.isfinite(masses) & (masses != 0) & (np.abs(masses - standard) > tolerance)
    return differs


def _describe_occupancies(atoms: Atoms) -> str:
    """Describe the first site that is shared or partially empty, from a CIF or a column; empty if there is none."""
    occupancy = atoms.info.get("occupancy")
    for site in occupancy.values() if isinstance(occupancy, dict) else ():
        if isinstance(site, dict) and (len(site) > 1 or any(_is_partial(share) for share in site.values())):
            return ", ".join(f"{share} {symbol}" for symbol, share in site.items())
    for name, column in _columns(atoms, OCCUPANCY_COLUMNS):
        shares = [share for share in column.ravel() if _is_partial(share)]
        if shares and any(str(share).lower() not in FALSE_TEXTS for share in column.ravel()):  # not only zeros
            return f"{shares[0]}, in the column '{name}'"
    return ""


def _is_partial(share: Any) -> bool:
    """Return whether an occupancy is less than 1; values that are not numbers, such as '?', are not."""
    try:
        return float(share) < 1 - OCCUPANCY_TOLERANCE
    except (TypeError, ValueError):
        return False
