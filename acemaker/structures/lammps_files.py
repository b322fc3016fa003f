"""Data and dump files of LAMMPS, whose atom types get elements only if the file or the user names them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols, covalent_radii

from acemaker.config.base import nearest
from acemaker.config.system import HEAVY_HYDROGEN
from acemaker.errors import ConfigError
from acemaker.structures.geometry import mean_coordination

DATA, DUMP = "lammps-data", "lammps-dump-text"
"""ASE's names of the formats."""

COLUMNS = {
    "atomic": (1, 2, 5),
    "charge": (1, 3, 6),
    "bond": (2, 3, 6),
    "angle": (2, 3, 6),
    "molecular": (2, 3, 6),
    "full": (2, 4, 7),
    "dipole": (1, 3, 9),
    "sphere": (1, 4, 7),
}
"""By atom style: column of the type, column of x, and number of columns without image flags."""

UNITS = ("metal", "real", "electron", "nano", "micro", "si", "cgs")
"""LAMMPS's units that have lengths; those of 'lj' do not."""

CLOSE_MASS, FAR = 0.1, 3.0
"""A mass names an element if it differs by at most the first value, in u, from that of the element, and from those of
all others by more than this, and by the second value times as much."""

STABLE = [*range(1, 43), *range(44, 61), *range(62, 84), 90, 92]
"""Atomic numbers of the elements that masses can name."""

HALF_TO_DOUBLE = 0.5, 2.0
"""Range of the masses of an element's atoms, in units of its standard mass; hydrogen may have more."""

BOND, COORDINATION, DENSEST = 1.3, (1.5, 4.5), 2.0
"""Longest bond of carbon in units of the sum of covalent radii, range of its mean number of bonds per atom, and its
smallest volume per atom in Å³, less than half of that of diamond."""

_SECTION = re.compile(r"[A-Z][A-Za-z-]*(?: [A-Za-z]+)*")
_COUNT = re.compile(r"^\s*\d+\s+atoms\s*(?:#.*)?$", re.M)
_BOX = re.compile(r"^.*\b(?:xlo\s+xhi|avec)\b", re.M)


def lammps_format(head: str) -> str | None:
    """Return the format of a file of LAMMPS, or None for another file.

    Parameters
    ----------
    head
        Beginning of the file.
    """
    if head.lstrip().startswith(("ITEM: TIMESTEP", "ITEM: UNITS", "ITEM: TIME")):
        return DUMP
    return DATA if _COUNT.search(head) and _BOX.search(head) else None


def read_data(text: str, where: str, *, atom_style: str | None, elements: Sequence[str]) -> Atoms:
    """Read a data file.

    Parameters
    ----------
    text
        Content of the file.
    where
        Origin of the structure, for messages.
    atom_style
        LAMMPS's atom style, which a comment behind ``Atoms`` may state as well.
    elements
        Elements of the types; empty if the file names them, by type labels, comments behind the masses, or the masses.

    Returns
    -------
    Atoms
        Periodic structure in Å, in the order of the identifiers, with its masses if the file has any, and with its
        velocities. Charges are parameters of a force field and are not read.

    Raises
    ------
    ConfigError
        If atom style, elements or units are neither in the file nor set, or contradict each other.
    """
    header, sections, comments = _sections(text)
    if "Atoms" not in sections or not sections["Atoms"]:
        raise ConfigError(
            f"{where}: expected a section 'Atoms' in LAMMPS's data file, got {', '.join(sections) or 'none'}"
        )
    rows = sections["Atoms"]
    style = _atom_style(comments.get("Atoms", ""), atom_style, len(rows[0].fields), where)
    type_column, x_column, n_columns = COLUMNS[style]
    for row in rows:
        if len(row.fields) not in (n_columns, n_columns + 3):
            raise ConfigError(
                f"{where}: expected {n_columns} or {n_columns + 3} columns in section 'Atoms' for atom style "
                f"'{style}', got {row.text!r}; check atom_style"
            )
    if (n_atoms := header.get("atoms", ["0"])[0]) != str(len(rows)):
        raise ConfigError(f"{where}: the header declares {n_atoms} atoms, section 'Atoms' has {len(rows)}")
    labels = {row.fields[0]: row.fields[1] for row in sections.get("Atom Type Labels", [])}
    numbers = {label: number for number, label in labels.items()}
    types = [numbers.get(row.fields[type_column], row.fields[type_column]) for row in rows]
    masses = {numbers.get(row.fields[0], row.fields[0]): row for row in sections.get("Masses", [])}
    units = _declared_units(text.split("\n", 1)[0], where)
    named = {
        number: _Type(
            label=labels.get(number, ""),
            comment=masses[number].comment if number in masses else "",
            mass=_in(units, "mass", float(masses[number].fields[1])) if number in masses else None,
        )
        for number in sorted({*types, *labels, *masses}, key=_number)
    }
    symbols = _elements_of_types(named, elements, where)
    order = sorted(range(len(rows)), key=lambda index: _number(rows[index].fields[0]))
    positions = [[float(value) for value in rows[index].fields[x_column : x_column + 3]] for index in order]
    cell, origin = _data_box(header, where)
    atoms = _atoms([symbols[types[index]] for index in order], _in(units, "distance", np.array(positions) - origin))
    atoms.set_cell(_in(units, "distance", cell))
    atoms.pbc = True
    _set_masses(atoms, [named[types[index]].mass for index in order])
    if "Velocities" in sections:
        by_id = {row.fields[0]: [float(value) for value in row.fields[1:4]] for row in sections["Velocities"]}
        velocities = np.array([by_id[rows[index].fields[0]] for index in order])
        atoms.set_velocities(_in(units, "velocity", velocities))
    return atoms


def read_dump(text: str, where: str, *, elements: Sequence[str], frames: int | slice) -> list[Atoms]:
    """Read frames of a text dump.

    Parameters
    ----------
    text
        Content of the file.
    where
        Origin of the structure, for messages.
    elements
        Elements of the types; empty if the file has a column ``element``, or masses that name them.
    frames
        Index of a frame, or several.

    Returns
    -------
    list of Atoms
        Structures in Å, in the order of the identifiers, with velocities if there are any.

    Raises
    ------
    ConfigError
        If the elements are neither in the file nor set, or there is no such frame.
    IndexError
        If there is no such frame.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("ITEM: TIMESTEP")]
    units = next(
        (lines[number + 1].strip() for number, line in enumerate(lines[:20]) if line == "ITEM: UNITS"), "metal"
    )
    _check_units(units, where)
    ends = [*starts[1:], len(lines)]
    spans = list(zip(starts, ends, strict=True))
    chosen = spans[frames] if isinstance(frames, slice) else [spans[frames]]
    return [_dump_frame(lines[start:end], where, elements, units) for start, end in chosen]


@dataclass(frozen=True, kw_only=True)
class _Row:
    text: str
    fields: list[str]
    comment: str


@dataclass(frozen=True, kw_only=True)
class _Type:
    """Everything that a file says about an atom type."""

    label: str = ""
    comment: str = ""
    mass: float | None = None


def _sections(text: str) -> tuple[dict[str, list[str]], dict[str, list[_Row]], dict[str, str]]:
    """Split a data file into header, sections, and the comments behind the names of sections."""
    header: dict[str, list[str]] = {}
    sections: dict[str, list[_Row]] = {}
    comments: dict[str, str] = {}
    section = ""
    for line in text.splitlines()[1:]:
        content, _, comment = line.partition("#")
        content = " ".join(content.split())
        if not content:
            continue
        if _SECTION.fullmatch(content):
            section = content
            sections[section], comments[section] = [], comment.strip()
        elif section:
            sections[section].append(_Row(text=line.strip(), fields=content.split(), comment=comment.strip()))
        else:
            values = content.split()
            first = next((n for n, value in enumerate(values) if not _is_number(value)), len(values))
            header[" ".join(values[first:])] = values[:first]
    return header, sections, comments


def _atom_style(comment: str, setting: str | None, n_columns: int, where: str) -> str:
    stated = comment.split()[0] if comment else None
    if setting is not None and setting not in COLUMNS:
        raise ConfigError(f"SystemConfig.atom_style: '{setting}' is not supported; {nearest(setting, [*COLUMNS])}")
    if stated is not None and setting is not None and stated != setting:
        raise ConfigError(
            f"{where}: section 'Atoms' states the atom style '{stated}', atom_style is '{setting}'; omit atom_style"
        )
    style = stated or setting
    if style is None:
        if n_columns in (5, 8):  # no other supported style has as few
            return "atomic"
        fitting = [name for name, (_, _, count) in COLUMNS.items() if n_columns in (count, count + 3)]
        raise ConfigError(
            f"{where}: LAMMPS's data file does not state its atom style, and {n_columns} columns fit "
            f"{', '.join(fitting) or 'none of ' + ', '.join(COLUMNS)}; set atom_style"
        )
    if style not in COLUMNS:
        raise ConfigError(
            f"{where}: the atom style '{style}' is not supported ({', '.join(COLUMNS)} are); write the data file with "
            "another one, or in another format"
        )
    return style


def _declared_units(title: str, where: str) -> str:
    match = re.search(r"\bunits\s*=\s*(\w+)", title)
    units = match[1] if match else "metal"
    _check_units(units, where)
    return units


def _check_units(units: str, where: str) -> None:
    if units not in UNITS:
        raise ConfigError(
            f"{where}: the file is in LAMMPS's units '{units}', whose lengths are not defined; convert it to 'metal'"
        )


def _in(units: str, quantity: str, value: Any) -> Any:
    from ase.calculators.lammps import convert

    if units in ("metal", "real") and quantity != "velocity":
        return value  # in Å and u: the value of a file remains as it is
    return convert(value, quantity, units, "ASE")


def _data_box(header: Mapping[str, list[str]], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and origin in the file's unit."""
    try:
        if "avec" in header:
            vectors = np.array([header[name] for name in ("avec", "bvec", "cvec")], dtype=float)
            return vectors, np.array(header.get("abc origin", [0, 0, 0]), dtype=float)
        bounds = np.array([header[f"{axis}lo {axis}hi"] for axis in "xyz"], dtype=float)
    except KeyError as error:
        raise ConfigError(f"{where}: the header of LAMMPS's data file has no {error}") from error
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    cell[1, 0], cell[2, 0], cell[2, 1] = np.array(header.get("xy xz yz", [0, 0, 0]), dtype=float)
    return cell, bounds[:, 0]


def _elements_of_types(types: Mapping[str, _Type], elements: Sequence[str], where: str) -> dict[str, str]:
    """Return the symbol of each type, which may be that of an isotope."""
    if elements and (len(elements) < len(types) or any(not 1 <= _number(name) <= len(elements) for name in types)):
        raise ConfigError(
            f"{where}: expected elements for the types {', '.join(types)}, got {', '.join(elements)}; list one element "
            "per type"
        )
    symbols = {}
    for name, kind in types.items():
        by_name = [text for text in (kind.label, kind.comment.split()[0] if kind.comment else "") if _is_element(text)]
        chosen = elements[_number(name) - 1] if elements else by_name[0] if by_name else _of_mass(kind.mass)
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


def _check_consistent(name: str, symbol: str, kind: _Type, where: str) -> None:
    """Check that label and mass of a type do not name another element."""
    other = kind.label if _is_element(kind.label) and kind.label != symbol else ""
    by_mass = _of_mass(kind.mass)
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
        other = _of_mass(mass)
        if symbol not in ("H", "X") and other and _base(other) != symbol:
            raise ConfigError(
                f"{where}: the file has {symbol} with the mass {mass:g}, which belongs to {other}; correct elements or "
                "masses of the file"
            )


def _of_mass(mass: float | None) -> str:
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


def _dump_frame(lines: Sequence[str], where: str, elements: Sequence[str], units: str) -> Atoms:
    items = [number for number, line in enumerate(lines) if line.startswith("ITEM: ")]
    parts = {lines[start]: lines[start + 1 : end] for start, end in pairwise([*items, len(lines)])}
    bounds = next((name for name in parts if name.startswith("ITEM: BOX BOUNDS")), None)
    columns = next((name for name in parts if name.startswith("ITEM: ATOMS")), None)
    if bounds is None or columns is None:
        raise ConfigError(f"{where}: expected 'ITEM: BOX BOUNDS' and 'ITEM: ATOMS' in each frame of LAMMPS's dump")
    names = columns.split()[2:]
    rows = [line.split() for line in parts[columns] if line.strip()]
    declared = parts.get("ITEM: NUMBER OF ATOMS", ["?"])[0].strip()
    if declared != str(len(rows)) or any(len(row) != len(names) for row in rows):
        raise ConfigError(
            f"{where}: a frame declares {declared} atoms of {len(names)} columns, but has {len(rows)} rows or other "
            "columns: it is cut off"
        )
    if "id" in names:
        rows.sort(key=lambda row: _number(row[names.index("id")]))
    table = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    cell, origin = _dump_box(bounds, parts[bounds])
    symbols = _elements_of_dump(table, elements, where)
    atoms = _atoms(symbols, np.zeros((len(rows), 3)))
    atoms.set_cell(_in(units, "distance", cell))
    periodic = bounds.split()[-3:]
    atoms.pbc = [flag == "pp" for flag in periodic] if all(len(flag) == 2 for flag in periodic) else True
    plain = next((axes for axes in (("x", "y", "z"), ("xu", "yu", "zu")) if set(axes) <= set(table)), None)
    scaled = next((axes for axes in (("xs", "ys", "zs"), ("xsu", "ysu", "zsu")) if set(axes) <= set(table)), None)
    if plain is not None:
        atoms.positions = _in(units, "distance", _numbers(table, plain) - origin)
    elif scaled is not None:
        atoms.set_scaled_positions(_numbers(table, scaled))
    else:
        raise ConfigError(f"{where}: expected columns x y z, xs ys zs, xu yu zu or xsu ysu zsu, got {', '.join(names)}")
    if "mass" in table:
        _set_masses(atoms, [_in(units, "mass", float(mass)) for mass in table["mass"]])
    if not elements and set(table.get("element", [])) == {"C"}:
        _check_carbon(atoms, table, where)
    if {"vx", "vy", "vz"} <= set(table):
        atoms.set_velocities(_in(units, "velocity", _numbers(table, ("vx", "vy", "vz"))))
    return atoms


def _check_carbon(atoms: Atoms, table: Mapping[str, list[str]], where: str) -> None:
    """Check that atoms are as far apart as those of carbon, the element that LAMMPS writes by default."""
    if "mass" in table and {_of_mass(mass) for mass in atoms.get_masses()} == {"C"} and atoms.has("masses"):
        return
    bond = BOND * float(covalent_radii[6]) * 2
    is_periodic = bool(atoms.pbc.any()) and atoms.cell.volume > np.finfo(float).tiny
    if is_periodic and atoms.cell.volume < DENSEST * len(atoms):
        text = f"but only {atoms.cell.volume / len(atoms):.3g} Å³ per atom"
    else:
        copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell if is_periodic else None, pbc=is_periodic)
        coordination = mean_coordination(copy, bond)
        if COORDINATION[0] <= coordination <= COORDINATION[1]:
            return
        text = f"but on average {coordination:.1f} neighbors within {bond:.2f} Å, unlike carbon"
    raise ConfigError(
        f"{where}: all atoms have the element C, which LAMMPS writes unless 'dump_modify element' names the elements, "
        f"{text}; set elements, e.g. elements=['Si'], or elements=['C'] if it is carbon"
    )


def _dump_box(name: str, lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and origin in the file's unit."""
    values = np.array([line.split() for line in lines if line.strip()], dtype=float)
    if name.split()[3:4] == ["abc"]:  # general triclinic
        return values[:, :3], values[:, 3]
    low, high = values[:, 0].copy(), values[:, 1].copy()
    xy, xz, yz = values[:, 2] if values.shape[1] > 2 else (0.0, 0.0, 0.0)
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, low


def _elements_of_dump(table: Mapping[str, list[str]], elements: Sequence[str], where: str) -> list[str]:
    if "element" in table:
        names = table["element"]
        unknown = sorted({name for name in names if not _is_element(name)})
        if not unknown and not elements:
            n_types = len(set(table.get("type", [])))
            if n_types > 1 and set(names) == {"C"}:
                raise ConfigError(
                    f"{where}: all {n_types} atom types have the element C, which LAMMPS writes unless 'dump_modify "
                    "element' names the elements; set elements, e.g. elements=['Cu', 'Ni']"
                )
            return names
        if unknown and not elements:
            raise ConfigError(
                f"{where}: the column 'element' contains {', '.join(unknown)}, which are not chemical symbols; set "
                "elements to the elements in the order of the types"
            )
    if "type" not in table:
        raise ConfigError(f"{where}: expected a column 'element' or 'type' in LAMMPS's dump, got {', '.join(table)}")
    masses = dict(zip(table["type"], table.get("mass", []), strict=False))
    labels = dict(zip(table["type"], table.get("element", []), strict=False))
    is_default = set(labels.values()) == {"C"}
    types = {
        name: _Type(
            mass=float(masses[name]) if name in masses else None, label="" if is_default else labels.get(name, "")
        )
        for name in sorted(set(table["type"]), key=_number)
    }
    symbols = _elements_of_types(types, elements, where)
    return [symbols[name] for name in table["type"]]


def _atoms(symbols: Sequence[str], positions: np.ndarray) -> Atoms:
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


def _set_masses(atoms: Atoms, masses: Sequence[float | None]) -> None:
    """Set masses of a file; missing ones, 0 and 1 are those of the elements."""
    standard = atoms.get_masses()
    values = np.array([np.nan if mass is None else mass for mass in masses])
    is_placeholder = ~np.isfinite(values) | (values == 0) | ((values == 1) & (standard > 2))
    if not is_placeholder.all():
        atoms.set_masses(np.where(is_placeholder, standard, values))


def _base(symbol: str) -> str:
    return "H" if symbol in HEAVY_HYDROGEN else symbol


def _is_element(text: str) -> bool:
    return text in HEAVY_HYDROGEN or atomic_numbers.get(text, 0) > 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str) -> int:
    """Convert the number of an atom or type; text sorts last and is no number of a type."""
    return int(text) if text.isdigit() else 10**9


def _numbers(table: Mapping[str, list[str]], names: Sequence[str]) -> np.ndarray:
    return np.array([table[name] for name in names], dtype=float).T
