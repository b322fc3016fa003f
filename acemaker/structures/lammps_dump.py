"""Text dumps of LAMMPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.errors import ConfigError
from acemaker.structures.geometry import mean_coordination
from acemaker.structures.lammps_types import (
    AtomType,
    element_of_mass,
    elements_of_types,
    is_element,
    number_of,
    set_masses,
    structure_of,
)
from acemaker.structures.lammps_units import check_units, check_velocities, converted

BOND, COORDINATION, DENSEST = 1.3, (1.5, 4.5), 2.0
"""Longest bond of carbon in units of the sum of covalent radii, range of its mean number of bonds per atom, and its
smallest volume per atom in Å³, less than half of that of diamond."""


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
    units = next((lines[number + 1].strip() for number, line in enumerate(lines[:20]) if line == "ITEM: UNITS"), None)
    check_units(units or "metal", where)
    ends = [*starts[1:], len(lines)]
    spans = list(zip(starts, ends, strict=True))
    chosen = spans[frames] if isinstance(frames, slice) else [spans[frames]]
    return [_dump_frame(lines[start:end], where, elements, units) for start, end in chosen]


def _dump_frame(lines: Sequence[str], where: str, elements: Sequence[str], stated: str | None) -> Atoms:
    units = stated or "metal"
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
        rows.sort(key=lambda row: number_of(row[names.index("id")]))
    table = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    cell, origin = _dump_box(bounds, parts[bounds])
    symbols = _elements_of_dump(table, elements, where, units)
    atoms = structure_of(symbols, np.zeros((len(rows), 3)))
    atoms.set_cell(converted(units, "distance", cell))
    periodic = bounds.split()[-3:]
    atoms.pbc = [flag == "pp" for flag in periodic] if all(len(flag) == 2 for flag in periodic) else True
    plain = next((axes for axes in (("x", "y", "z"), ("xu", "yu", "zu")) if set(axes) <= set(table)), None)
    scaled = next((axes for axes in (("xs", "ys", "zs"), ("xsu", "ysu", "zsu")) if set(axes) <= set(table)), None)
    if plain is not None:
        atoms.positions = converted(units, "distance", _numbers(table, plain) - origin)
    elif scaled is not None:
        atoms.set_scaled_positions(_numbers(table, scaled))
    else:
        raise ConfigError(f"{where}: expected columns x y z, xs ys zs, xu yu zu or xsu ysu zsu, got {', '.join(names)}")
    if "mass" in table:
        set_masses(atoms, [converted(units, "mass", float(mass)) for mass in table["mass"]])
    if not elements and set(table.get("element", [])) == {"C"}:
        _check_carbon(atoms, table, where)
    if {"vx", "vy", "vz"} <= set(table):
        atoms.set_velocities(converted(units, "velocity", _numbers(table, ("vx", "vy", "vz"))))
        check_velocities(atoms, stated, where, remedy="'ITEM: UNITS' (dump_modify units yes)")
    return atoms


def _check_carbon(atoms: Atoms, table: Mapping[str, list[str]], where: str) -> None:
    """Check that atoms are as far apart as those of carbon, the element that LAMMPS writes by default."""
    if "mass" in table and {element_of_mass(mass) for mass in atoms.get_masses()} == {"C"} and atoms.has("masses"):
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


def _elements_of_dump(table: Mapping[str, list[str]], elements: Sequence[str], where: str, units: str) -> list[str]:
    if "element" in table:
        names = table["element"]
        unknown = sorted({name for name in names if not is_element(name)})
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
        name: AtomType(
            mass=converted(units, "mass", float(masses[name])) if name in masses else None,
            label="" if is_default else labels.get(name, ""),
        )
        for name in sorted(set(table["type"]), key=number_of)
    }
    symbols = elements_of_types(types, elements, where)
    return [symbols[name] for name in table["type"]]


def _numbers(table: Mapping[str, list[str]], names: Sequence[str]) -> np.ndarray:
    return np.array([table[name] for name in names], dtype=float).T
