"""The input file of pw.x for one structure.

ASE's writer numbers species in the order in which they first appear, writes magnetic moments in Bohr magnetons where
pw.x expects fractions of the valence electrons, and cannot write Hubbard parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from acemaker.config import OracleConfig
from acemaker.config.espresso_input import HUBBARD, PROJECTION, SPECIES_INDEX, indexed, items, nested
from acemaker.errors import ConfigError, StructureError
from acemaker.oracles.k_points import k_point_grid
from acemaker.oracles.start_moments import moments_of, start_moments

MAX_SPECIES = 10
"""Maximum number of species of pw.x, its ``ntypx``."""

DECIMALS = 6
"""Decimals to which fractions of the valence electrons are compared."""

FULL = 1 - 10**-DECIMALS
"""Largest fraction of the valence electrons that is written for a moment."""

NEW_SYNTAX = (7, 1)
"""First version of pw.x that reads Hubbard parameters from a card."""

MANIFOLDS = {
    "3d": ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga"),
    "4d": ("Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In"),
    "5d": ("Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg"),
    "4f": ("Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"),
    "5f": ("Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr"),
    "1s": ("H",),
    "2p": ("C", "N", "O"),
    "4p": ("As",),
}
"""The manifold to which pw.x before 7.1 applies Hubbard parameters, by element; it has none for other elements."""


@dataclass(frozen=True, kw_only=True)
class Species:
    """A species of pw.x: an element with one starting magnetization.

    Attributes
    ----------
    element : str
        Chemical symbol.
    fraction : float
        Starting magnetization, as a fraction of the valence electrons.
    label : str
        Name in the input: the element, with a number except for the first species of an element.
    """

    element: str
    fraction: float
    label: str


def is_magnetic(config: OracleConfig, atoms: Atoms) -> bool:
    """Return whether labels of a structure are spin-polarized: by the settings, or by moments of its atoms."""
    inputs = {indexed(name)[0]: value for _, name, value in items(config.espresso_input)}
    return bool(config.magnetic_moments) or inputs.get("nspin", 1) == 2 or bool(moments_of(atoms).any())


def check_contradictions(config: OracleConfig, elements: Sequence[str], atoms: Atoms) -> None:
    """Check that the magnetic moments of a structure agree with the settings.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system.
    atoms
        The structure.

    Raises
    ------
    StructureError
        If the moments are vectors or not finite, contradict settings of their element, or the settings turn spin off.
    """
    start_moments(atoms, config.magnetic_moments)
    inputs = {indexed(name): value for _, name, value in items(config.espresso_input)}
    if moments_of(atoms).any() and inputs.get(("nspin", ()), 2) == 1:
        raise StructureError(
            "the structure has magnetic moments, but espresso_input sets 'nspin': 1; omit it, or remove the moments: "
            "atoms.set_initial_magnetic_moments(None)"
        )
    start_moments(atoms, _fractions(config, elements), "espresso_input")


def check_moments_of(valence: Mapping[str, float], moments: Mapping[str, Sequence[float]], where: str) -> None:
    """Check that no moment exceeds the number of valence electrons.

    Parameters
    ----------
    valence
        Number of valence electrons of each element's pseudopotential.
    moments
        Moments in Bohr magnetons by element.
    where
        Setting or structure from which the moments come, for the message.

    Raises
    ------
    ConfigError
        If one does, or if the number of valence electrons is unknown.
    """
    for element, values in moments.items():
        largest = max((abs(value) for value in values), default=0.0)
        electrons = valence.get(element, math.nan)
        if largest and math.isnan(electrons):
            raise ConfigError(
                f"{where}: the moment of {element} cannot be converted for pw.x, since the number of valence electrons "
                "of its pseudopotential is unknown; make the file readable here (pseudo_dir)"
            )
        if largest > electrons:
            raise ConfigError(
                f"{where}: a moment of {largest:g} Bohr magnetons per {element} atom is impossible: its "
                f"pseudopotential has {electrons:g} valence electrons"
            )


def check_manifolds(
    config: OracleConfig, elements: Sequence[str], version: tuple[int, ...], orbitals: Mapping[str, set[str]]
) -> None:
    """Check that pw.x can apply the Hubbard parameters.

    Parameters
    ----------
    config
        Settings with `hubbard`.
    elements
        Elements of the system.
    version
        Version of pw.x.
    orbitals
        Atomic wavefunctions of each element's pseudopotential; an empty set if they are unknown.

    Raises
    ------
    ConfigError
        If an element is not in the system, its pseudopotential has no such wavefunction, or this version of pw.x
        applies the parameter to another manifold.
    """
    _check_elements(config.hubbard, elements, "hubbard")
    for element, (manifold,) in ((element, tuple(values)) for element, values in config.hubbard.items()):
        names = orbitals.get(element, set())
        if names and manifold not in names:
            raise ConfigError(
                f"OracleConfig.hubbard: the pseudopotential of {element} has no {manifold} wavefunction; it has "
                f"{', '.join(sorted(names))}"
            )
        if version >= NEW_SYNTAX:
            continue
        fixed = next((name for name, members in MANIFOLDS.items() if element in members), None)
        if fixed != manifold:
            it = f"applies U of {element} to {fixed}" if fixed else f"has no Hubbard parameters for {element}"
            raise ConfigError(
                f"OracleConfig.hubbard: pw.x {'.'.join(map(str, version))} {it}, got {manifold}; versions from 7.1 on "
                "accept any manifold"
            )


def check_species(config: OracleConfig, elements: Sequence[str]) -> None:
    """Check that settings by element, and species indices of the additional input, are of elements of the system.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system.

    Raises
    ------
    ConfigError
        For any other element or index; the message lists the elements.
    """
    _check_elements(config.magnetic_moments, elements, "magnetic_moments")
    _check_elements(config.hubbard, elements, "hubbard")
    for _, name, _ in items(config.espresso_input):
        bare, indices = indexed(name)
        if bare in SPECIES_INDEX and not 1 <= indices[SPECIES_INDEX[bare]] <= len(elements):
            numbered = ", ".join(f"{number} {element}" for number, element in enumerate(elements, start=1))
            raise ConfigError(
                f"OracleConfig.espresso_input: the index of {name} is not that of an element; the elements are "
                f"{numbered}"
            )


def _check_elements(values: Mapping[str, Any], elements: Sequence[str], name: str) -> None:
    absent = sorted(set(values) - set(elements))
    if absent:
        raise ConfigError(
            f"OracleConfig.{name}: {', '.join(absent)} is not in the structure, which has {', '.join(elements)}"
        )


def species_of(
    config: OracleConfig, elements: Sequence[str], atoms: Atoms, valence: Mapping[str, float]
) -> tuple[list[Species], list[int]]:
    """Sort the atoms of a structure into species.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system, to which indices in ``espresso_input`` refer.
    atoms
        The structure.
    valence
        Number of valence electrons of each element's pseudopotential.

    Returns
    -------
    species : list of Species
        By element in alphabetical order, then by starting magnetization, the largest first; they do not depend on the
        order of the atoms.
    numbers : list of int
        Index of each atom's species.

    Raises
    ------
    ConfigError
        If a moment exceeds the number of valence electrons.
    StructureError
        If there are more species than pw.x allows, or moments contradict settings.
    """
    symbols = atoms.get_chemical_symbols()
    fractions = np.zeros(len(atoms))
    if is_magnetic(config, atoms):
        check_contradictions(config, elements, atoms)
        moments = start_moments(atoms, config.magnetic_moments)
        by_element = {element: moments[[s == element for s in symbols]].tolist() for element in sorted(set(symbols))}
        in_input = _fractions(config, elements)
        converted = {element: values for element, values in by_element.items() if element not in in_input}
        check_moments_of(valence, converted, "magnetic moments")
        for number, (symbol, moment) in enumerate(zip(symbols, moments, strict=True)):
            if symbol in in_input:
                fractions[number] = in_input[symbol]
            elif moment:
                # pw.x from 7.3 on reads 1 as one Bohr magneton
                fractions[number] = round(min(max(moment / valence[symbol], -FULL), FULL), DECIMALS)
    keys = list(zip(symbols, fractions.tolist(), strict=True))
    ordered = sorted(set(keys), key=lambda key: (key[0], -key[1]))
    if len(ordered) > MAX_SPECIES:
        raise StructureError(
            f"the elements and magnetic moments of the structure are {len(ordered)} species, and pw.x allows at most "
            f"{MAX_SPECIES}; give fewer different moments, e.g. round them"
        )
    counts: dict[str, int] = {}
    species = []
    for element, fraction in ordered:
        number = counts.get(element, 0)
        counts[element] = number + 1
        species.append(Species(element=element, fraction=fraction, label=f"{element}{number or ''}"))
    return species, [ordered.index(key) for key in keys]


def _fractions(config: OracleConfig, elements: Sequence[str]) -> dict[str, float]:
    """Return the starting magnetizations of the additional input by element."""
    return {
        elements[indices[0] - 1]: float(value)
        for (name, indices), value in ((indexed(name), value) for _, name, value in items(config.espresso_input))
        if name == "starting_magnetization"
    }


def namelists_for(
    config: OracleConfig, elements: Sequence[str], species: Sequence[Species], *, spin: bool, version: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    """Convert the settings to namelists, in which indices are numbers of species.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system, to which indices in ``espresso_input`` refer.
    species
        Species of the structure.
    spin
        Whether the calculation is spin-polarized.
    version
        Version of pw.x, which determines the syntax of Hubbard parameters.

    Returns
    -------
    dict of dict
        Values by name, by namelist. A setting of an element applies to each of its species.
    """
    namelists: dict[str, dict[str, Any]] = {}
    for section, values in input_data(config).items():
        namelists[section] = {}
        for name, value in values.items():
            bare, indices = indexed(name)
            if bare == "starting_magnetization":
                continue
            if bare not in SPECIES_INDEX:
                namelists[section][name] = value
                continue
            position = SPECIES_INDEX[bare]
            for number in _numbers(species, elements[indices[position] - 1]):
                indices_of_species = [*indices[:position], number, *indices[position + 1 :]]
                namelists[section][f"{bare}({','.join(map(str, indices_of_species))})"] = value
    system = namelists["system"]
    if config.hubbard and version < NEW_SYNTAX:
        for element, manifolds in config.hubbard.items():
            for number in _numbers(species, element):
                system[f"hubbard_u({number})"] = next(iter(manifolds.values()))
        system["lda_plus_u"] = True
    if not any(indexed(name)[0] in HUBBARD & set(SPECIES_INDEX) for name in system) or (
        config.hubbard and version >= NEW_SYNTAX
    ):
        # pw.x stops if Hubbard parameters are enabled but none of the elements has one
        namelists["system"] = system = {name: value for name, value in system.items() if name not in HUBBARD}
    if spin:
        system["nspin"] = 2
        for number, member in enumerate(species, start=1):
            system[f"starting_magnetization({number})"] = member.fraction
    return namelists


def _numbers(species: Sequence[Species], element: str) -> list[int]:
    return [number for number, member in enumerate(species, start=1) if member.element == element]


def input_data(config: OracleConfig) -> dict[str, dict[str, Any]]:
    """Convert the settings to pw.x's namelists.

    Returns
    -------
    dict of dict
        Values by name, by namelist.
    """
    control = {"tprnfor": True, "tstress": True, "disk_io": "none", "outdir": "."}
    system = {"ecutwfc": config.ecutwfc, "occupations": "smearing", "smearing": config.smearing}
    system["degauss"] = config.degauss
    if config.ecutrho is not None:
        system["ecutrho"] = config.ecutrho
    electrons = {
        "conv_thr": config.conv_thr,
        "electron_maxstep": config.electron_maxstep,
        "mixing_beta": config.mixing_beta,
    }
    merged = nested(config.espresso_input)
    for name, values in (("control", control), ("system", system), ("electrons", electrons)):
        merged[name] = {**merged.get(name, {}), **values}
    return merged


def pw_input(
    config: OracleConfig,
    elements: Sequence[str],
    atoms: Atoms,
    files: Mapping[str, str],
    valence: Mapping[str, float],
    *,
    version: tuple[int, ...] = (),
    pseudo_dir: str = "",
) -> str:
    """Return the input of pw.x for a structure.

    Parameters
    ----------
    config
        Settings of the oracle.
    elements
        Elements of the system, to which indices in ``espresso_input`` refer.
    atoms
        The structure, with some or all of these elements.
    files
        Name of the pseudopotential file of each element.
    valence
        Number of valence electrons of each element's pseudopotential, needed only for moments in Bohr magnetons.
    version
        Version of pw.x, which determines the syntax of Hubbard parameters; empty for one before 7.1.
    pseudo_dir
        Folder of the pseudopotentials; empty to omit it.

    Returns
    -------
    str

    Raises
    ------
    ConfigError, StructureError
        If moments are impossible, contradict settings, or need more species than pw.x allows.
    """
    species, numbers = species_of(config, elements, atoms, valence)
    namelists = namelists_for(config, elements, species, spin=is_magnetic(config, atoms), version=version)
    if pseudo_dir:
        namelists["control"]["pseudo_dir"] = pseudo_dir
    namelists["system"] |= {"ntyp": len(species), "nat": len(atoms), "ibrav": 0}
    points, offsets = k_point_grid(atoms, config.kspacing, config.koffset)
    lines = []
    for section in sorted(namelists, key=_section_order):
        lines.append(f"&{section.upper()}")
        lines += [f"   {name:<16} = {fortran(value)}" for name, value in namelists[section].items()]
        lines += ["/", ""]
    lines.append("ATOMIC_SPECIES")
    lines += [
        f"{member.label} {atomic_masses[atomic_numbers[member.element]]} {files[member.element]}" for member in species
    ]
    lines += ["", "K_POINTS automatic", " ".join(map(str, (*points, *offsets)))]
    lines += ["", "CELL_PARAMETERS angstrom"]
    lines += [" ".join(f"{value:.14f}" for value in row) for row in atoms.cell.array]
    lines += ["", "ATOMIC_POSITIONS angstrom"]
    for number, position in zip(numbers, atoms.positions, strict=True):
        lines.append(" ".join([species[number].label, *(f"{value:.10f}" for value in position)]))
    if config.hubbard and version >= NEW_SYNTAX:
        lines += _hubbard_card(config, species)
    return "\n".join([*lines, ""])


def _section_order(section: str) -> tuple[int, str]:
    """Return the position of a namelist, in the order in which pw.x reads them."""
    order = ("control", "system", "electrons", "ions", "cell", "fcp", "rism")
    return (order.index(section) if section in order else len(order), section)


def _hubbard_card(config: OracleConfig, species: Sequence[Species]) -> list[str]:
    """Return the lines of the HUBBARD card; none if no species has a parameter."""
    rows = []
    for member in species:
        for manifold, energy in config.hubbard.get(member.element, {}).items():
            rows.append(f"U {member.label}-{manifold} {energy!r}")
    if not rows:
        return []
    inputs = {indexed(name)[0]: value for _, name, value in items(config.espresso_input)}
    return ["", f"HUBBARD ({inputs.get(PROJECTION, 'atomic')})", *rows]


def fortran(value: bool | int | float | str) -> str:
    """Format a value of a namelist.

    Examples
    --------
    >>> fortran(True), fortran(1e-8), fortran("it's")
    ('.true.', '1e-08', "'it''s'")
    """
    if isinstance(value, bool):
        return ".true." if value else ".false."
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
