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

MASS_TOLERANCE = 1e-3, 0.06
"""By which a mass may differ from its element's, as a share and in u: people round, and isotopes that move otherwise
differ by more."""

READ = 10_000_000
"""Bytes of a file in which isotopes are looked for: species and sites stand at its beginning."""

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

_CARD = re.compile(r"^[ \t]*ATOMIC_SPECIES\b.*$", re.M | re.I)
_HEAVY = re.compile(r"(D|T|[23]H)\d*[+-]?")


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
    with path.open("rb") as stream:
        text = stream.read(READ).decode(errors="replace")
    for symbol, given in _species(text):
        usual = float(atomic_masses[atomic_numbers[symbol]])
        if _differs(np.array([given]), np.array([usual]))[0]:
            _refuse_masses(where, f"{symbol} with {given:g} instead of {usual:g} u")
    if heavy := _heavy_site(text):
        _refuse_masses(where, f"{heavy} in place of H")


def _species(text: str) -> Iterator[tuple[str, float]]:
    """Read elements and masses of a pw.x input's card; anything that is no species ends it."""
    card = _CARD.search(text)
    for line in text[card.end() :].splitlines() if card is not None else ():
        words = line.split("!")[0].split("#")[0].split()
        if not words:
            continue
        symbol = re.match(r"[A-Z][a-z]?", words[0].capitalize())
        try:
            mass = float(words[1].lower().replace("d", "e"))
        except (IndexError, ValueError):
            return
        if len(words) < 3 or symbol is None or symbol[0] not in atomic_numbers:
            return
        yield symbol[0], mass


def _heavy_site(text: str) -> str:
    """Find an isotope of hydrogen among the sites of a CIF: by its type, or by its label where there are no types."""
    tags: list[str] = []
    for line in text.splitlines() if "_atom_site_" in text else ():
        words = line.split()
        if not words:
            continue
        if words[0].lower().startswith("_atom_site_"):
            tags.append(words[0].lower())
        elif words[0].startswith(("_", "#")) or words[0].lower().startswith(("loop_", "data_")):
            tags = []
        else:
            for tag, isotopes in (("_atom_site_type_symbol", ("D", "T", "2H", "3H")), ("_atom_site_label", ("D",))):
                if tag in tags and tags.index(tag) < len(words):
                    heavy = _HEAVY.fullmatch(words[tags.index(tag)])
                    if heavy is not None and heavy[1] in isotopes:
                        return heavy[1]
                    break
    return ""


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
    """List an element with masses of its own."""
    try:
        given = column.astype(float).reshape(len(atoms))
    except ValueError:
        return ""
    usual = atomic_masses[atoms.numbers]
    wrong = _differs(given, usual)
    if not wrong.any():
        return ""
    number = atoms.numbers[wrong][0]
    of = wrong & (atoms.numbers == number)
    symbol = atoms.symbols[int(np.flatnonzero(of)[0])]
    return f"{int(of.sum())} {symbol} with {given[of][0]:g} instead of {usual[of][0]:g} u"


def _differs(given: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Tell which masses are not their elements'; zero, no number, and 1 for what is no hydrogen are placeholders."""
    share, least = MASS_TOLERANCE
    says_nothing = ~np.isfinite(given) | (given == 0) | ((given == 1) & (usual > 2))
    rounded = given == np.round(usual)  # a mass number, too
    differs: np.ndarray = ~says_nothing & ~rounded & (np.abs(given - usual) > np.maximum(share * usual, least))
    return differs


def _partial(atoms: Atoms) -> str:
    """Name the first site that is shared, or empty in part: of a CIF, or of a column."""
    occupancy = atoms.info.get("occupancy")
    for site in occupancy.values() if isinstance(occupancy, dict) else ():
        if isinstance(site, dict) and (len(site) > 1 or any(_is_part(share) for share in site.values())):
            return ", ".join(f"{share} {symbol}" for symbol, share in site.items())
    for name, column in _columns(atoms, OCCUPANCIES):
        parts = [share for share in column.ravel() if _is_part(share)]
        if parts and _marks(column).any():  # a column of zeros says nothing
            return f"{parts[0]}, in the column '{name}'"
    return ""


def _is_part(share: Any) -> bool:
    """Tell whether an occupancy is less than 1; one that is no number, '?' say, is not known to be."""
    try:
        return float(share) < 1 - OCCUPANCY_TOLERANCE
    except (TypeError, ValueError):
        return False
