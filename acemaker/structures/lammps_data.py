"""Data files of LAMMPS, whose atom types get elements only if the file or the user names them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.config.base import nearest
from acemaker.errors import ConfigError
from acemaker.structures.lammps_types import AtomType, elements_of_types, number_of, set_masses, structure_of
from acemaker.structures.lammps_units import check_units, check_velocities, converted

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

_SECTION = re.compile(r"[A-Z][A-Za-z-]*(?: [A-Za-z]+)*")


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
        number: AtomType(
            label=labels.get(number, ""),
            comment=masses[number].comment if number in masses else "",
            mass=converted(units, "mass", float(masses[number].fields[1])) if number in masses else None,
        )
        for number in sorted({*types, *labels, *masses}, key=number_of)
    }
    symbols = elements_of_types(named, elements, where)
    order = sorted(range(len(rows)), key=lambda index: number_of(rows[index].fields[0]))
    positions = [[float(value) for value in rows[index].fields[x_column : x_column + 3]] for index in order]
    cell, origin = _data_box(header, where)
    atoms = structure_of(
        [symbols[types[index]] for index in order], converted(units, "distance", np.array(positions) - origin)
    )
    atoms.set_cell(converted(units, "distance", cell))
    atoms.pbc = True
    set_masses(atoms, [named[types[index]].mass for index in order])
    if "Velocities" in sections:
        by_id = {row.fields[0]: [float(value) for value in row.fields[1:4]] for row in sections["Velocities"]}
        velocities = np.array([by_id[rows[index].fields[0]] for index in order])
        atoms.set_velocities(converted(units, "velocity", velocities))
        check_velocities(atoms, _stated_units(text.split("\n", 1)[0]), where, remedy="the first line")
    return atoms


@dataclass(frozen=True, kw_only=True)
class _Row:
    text: str
    fields: list[str]
    comment: str


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
    units = _stated_units(title) or "metal"
    check_units(units, where)
    return units


def _stated_units(title: str) -> str | None:
    match = re.search(r"\bunits\s*=\s*(\w+)", title)
    return match[1] if match else None


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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
