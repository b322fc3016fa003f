"""Elements, isotopes and masses of LAMMPS's atom types, which files name in several ways or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from acemaker.config.system import HEAVY_HYDROGEN
from acemaker.errors import ConfigError

CLOSE_MASS, FAR = 0.1, 3.0
"""A mass names an element if it differs by at most the first value, in u, from that of the element, and from those of
all others by more than this, and by the second value times as much."""

STABLE = [*range(1, 43), *range(44, 61), *range(62, 84), 90, 92]
"""Atomic numbers of the elements that masses can name."""

HALF_TO_DOUBLE = 0.5, 2.0
"""Range of the masses of an element's atoms, in units of its standard mass; hydrogen may have more."""


@dataclass(frozen=True, kw_only=True)
class AtomType:
    """Everything that a file says about an atom type."""

    label: str = ""
    comment: str = ""
    mass: float | None = None


def elements_of_types(types: Mapping[str, AtomType], elements: Sequence[str], where: str) -> dict[str, str]:
    """Return the symbol of each type, which may be that of an isotope."""
    if elements and (len(elements) < len(types) or any(not 1 <= number_of(name) <= len(elements) for name in types)):
        raise ConfigError(
            f"{where}: expected elements for the types {', '.join(types)}, got {', '.join(elements)}; list one element "
            "per type"
        )
    symbols = {}
    for name, kind in types.items():
        by_name = [text for text in (kind.label, kind.comment.split()[0] if kind.comment else "") if is_element(text)]
        chosen = elements[number_of(name) - 1] if elements else by_name[0] if by_name else element_of_mass(kind.mass)
        if not chosen:
            has = f"mass {kind.mass:g}" if kind.mass is not None else "no mass"
            has += f" and label '{kind.label}'" if kind.label else ""
            raise ConfigError(
                f"{where}: the file does not name the element of atom type {name}, which has {has}; set elements to "
                "the elements in the order of the types, e.g. elements=['Cu', 'Ni']"
            )
        _check_consistent(name, chosen, kind, where)
        symbols[name] = chosen
    return symbols


def _check_consistent(name: str, symbol: str, kind: AtomType, where: str) -> None:
    """Check that label and mass of a type do not name another element."""
    other = kind.label if is_element(kind.label) and kind.label != symbol else ""
    by_mass = element_of_mass(kind.mass)
    if by_mass and _base(by_mass) != _base(symbol):
        other = by_mass
    if kind.mass is not None and kind.mass not in (0.0, 1.0) and _base(symbol) != "H":
        share = kind.mass / float(atomic_masses[atomic_numbers[symbol]])
        if not HALF_TO_DOUBLE[0] < share < HALF_TO_DOUBLE[1]:
            other = other or "another element"
    if other:
        described = f"the mass {kind.mass:g}" if kind.mass is not None else f"the label '{kind.label}'"
        raise ConfigError(
            f"{where}: atom type {name} is {symbol}, but has {described}, which belongs to {other}; check the order of "
            "elements, or correct the file"
        )


def check_masses(atoms: Atoms, where: str) -> None:
    """Check that no mass of a file belongs to another element than that of its atom.

    LAMMPS writes all atoms as carbon, with their masses, unless it is told their elements.

    Parameters
    ----------
    atoms
        Structure with masses.
    where
        Origin of the structure, for the message.

    Raises
    ------
    ConfigError
        If it does; the masses of hydrogen, whose isotopes are as heavy as helium, are not checked.
    """
    for symbol, mass in sorted(set(zip(atoms.symbols, atoms.get_masses().tolist(), strict=True))):
        other = element_of_mass(mass)
        if symbol not in ("H", "X") and other and _base(other) != symbol:
            raise ConfigError(
                f"{where}: the file has {symbol} with the mass {mass:g}, which belongs to {other}; correct elements or "
                "masses of the file"
            )


def element_of_mass(mass: float | None) -> str:
    """Return the element that a mass names unambiguously; 1 is a placeholder, not hydrogen."""
    if mass is None or mass == 1.0:
        return ""
    for symbol, heavy in HEAVY_HYDROGEN.items():
        if abs(mass - heavy) < 2e-3:
            return symbol
    distances = np.abs(atomic_masses[STABLE] - mass)
    first, second = np.argsort(distances)[:2]
    if distances[first] > CLOSE_MASS or distances[second] < max(FAR * distances[first], CLOSE_MASS):
        return ""
    return str(chemical_symbols[STABLE[int(first)]])


def structure_of(symbols: Sequence[str], positions: np.ndarray) -> Atoms:
    """Create a structure; isotopes of hydrogen get their masses."""
    atoms = Atoms([_base(symbol) for symbol in symbols], positions)
    set_isotopes(atoms, symbols)
    return atoms


def set_isotopes(atoms: Atoms, symbols: Sequence[str]) -> None:
    """Set the masses of deuterium and tritium.

    Parameters
    ----------
    atoms
        The structure, with H for them; it is changed.
    symbols
        Symbols of its atoms, D and T among them.
    """
    heavy = np.array([HEAVY_HYDROGEN.get(symbol, 0.0) for symbol in symbols])
    if heavy.any():
        atoms.set_masses(np.where(heavy > 0, heavy, atoms.get_masses()))


def set_masses(atoms: Atoms, masses: Sequence[float | None]) -> None:
    """Set masses of a file; missing ones, 0 and 1 are those of the elements."""
    standard = atoms.get_masses()
    values = np.array([np.nan if mass is None else mass for mass in masses])
    is_placeholder = ~np.isfinite(values) | (values == 0) | ((values == 1) & (standard > 2))
    if not is_placeholder.all():
        atoms.set_masses(np.where(is_placeholder, standard, values))


def _base(symbol: str) -> str:
    return "H" if symbol in HEAVY_HYDROGEN else symbol


def is_element(text: str) -> bool:
    """Return whether a text is a chemical symbol, D and T included."""
    return text in HEAVY_HYDROGEN or atomic_numbers.get(text, 0) > 0


def number_of(text: str) -> int:
    """Convert the number of an atom or type; text sorts last and is no number of a type."""
    return int(text) if text.isdigit() else 10**9
