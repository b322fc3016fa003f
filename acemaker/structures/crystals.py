"""Crystals by name: elements and compounds in the structures that ASE can build."""

from __future__ import annotations

import math

from ase import Atoms
from ase.data import atomic_numbers
from ase.units import Bohr

from acemaker.config import SystemConfig
from acemaker.config.base import nearest
from acemaker.errors import ConfigError

ATOMS = {
    "sc": 1,
    "fcc": 1,
    "bcc": 1,
    "hcp": 1,
    "diamond": 1,
    "bct": 1,
    "rhombohedral": 1,
    "rocksalt": 2,
    "zincblende": 2,
    "cesiumchloride": 2,
    "wurtzite": 2,
    "fluorite": 3,
}
"""Number of atoms in the formula of each crystal structure. ASE's orthorhombic cells have one atom, those of the
elements more: they are left out."""

CUBIC = ("fcc", "bcc", "diamond", "sc", "rocksalt", "zincblende", "cesiumchloride", "fluorite")
"""Structures that are built as cubic cells; others as primitive ones."""

UNITS = {"nm": 10.0, "pm": 0.01, "bohr": Bohr}
"""Å per unit of length in which a lattice constant may be by mistake."""

MATCH = 1.08
"""Factor up to which a lattice constant in another unit agrees with ASE's value: no crystal is strained by 89 %."""

AXIAL = ("hcp", "wurtzite", "bct")
"""Structures with a ratio c/a."""


def build_crystal(config: SystemConfig) -> Atoms:
    """Build the unit cell of a crystal by name.

    Parameters
    ----------
    config
        Formula, crystal structure and lattice constants.

    Returns
    -------
    Atoms
        The cubic cell, or the primitive cell of a structure that is not cubic; without magnetic moments.

    Raises
    ------
    ConfigError
        If there is no such crystal, or a lattice constant is missing.

    Examples
    --------
    >>> build_crystal(SystemConfig(structure="NaCl", crystal="rocksalt", lattice_constant=5.64)).get_chemical_formula()
    'Cl4Na4'
    """
    from ase.build import bulk

    crystal = _crystal(config)
    _check_formula(config, crystal)
    if config.c_over_a is not None and crystal not in AXIAL:
        raise ConfigError(
            f"SystemConfig.c_over_a: {crystal} has no ratio c/a, which {', '.join(AXIAL)} have; omit c_over_a"
        )
    settings = {} if config.c_over_a is None else {"covera": config.c_over_a}
    try:
        cell = bulk(config.structure, crystal, a=config.lattice_constant, cubic=crystal in CUBIC, **settings)
    except (ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(
            f"SystemConfig.crystal: ASE cannot build {config.structure!r} as {crystal!r} ({error}); "
            "set lattice_constant, another crystal, or a structure file"
        ) from error
    _check_unit(config, crystal)
    cell.set_initial_magnetic_moments(None)  # ASE sets a guess for the element
    return cell


def _check_unit(config: SystemConfig, crystal: str) -> None:
    """Check that a lattice constant is not ASE's value of the element in another unit than Å."""
    from ase.data import reference_states

    if config.lattice_constant is None or len(config.symbols) != 1 or config.length_unit is not None:
        return
    state = reference_states[atomic_numbers[config.symbols[0]]] or {}
    reference = state.get("a")
    if state.get("symmetry") != crystal or not reference:
        return
    ratio = config.lattice_constant / reference
    unit, factor = min(UNITS.items(), key=lambda item: abs(math.log(ratio * item[1])))
    if abs(math.log(ratio * factor)) < math.log(MATCH):
        raise ConfigError(
            f"SystemConfig.lattice_constant: {config.lattice_constant:g} Å is {ratio:.3g} times ASE's value of "
            f"{config.structure}, {reference:g} Å, as if it were in {unit}; set it in Å: "
            f"lattice_constant={config.lattice_constant * factor:.4g}. If it is in Å, set length_unit='angstrom'"
        )


def _crystal(config: SystemConfig) -> str:
    """Return the crystal structure, which must be set if ASE has no reference state that it can build."""
    crystal, name = config.reference_crystal, config.structure
    if config.crystal is None and len(config.symbols) > 1:
        symbols = config.symbols
        is_compound = len(set(symbols)) == 2 and len(set(symbols[1:])) == 1
        fitting = [kind for kind, n_atoms in ATOMS.items() if n_atoms == len(symbols)] if is_compound else []
        remedy = (
            f"set crystal to the crystal structure of the compound ({', '.join(fitting)}) and lattice_constant, or set "
            "structure to a file"
            if fitting
            else "set it to a structure file"
        )
        is_element = name.isupper() and atomic_numbers.get(name.capitalize(), 0) > 0
        meant = f"did you mean '{name.capitalize()}'? Otherwise, " if is_element else ""
        raise ConfigError(f"SystemConfig.structure: {name!r} is neither a chemical symbol nor a file; {meant}{remedy}")
    if config.crystal is None and crystal not in ATOMS:
        state = f"its reference state is {crystal}" if crystal else "it has no reference state"
        raise ConfigError(
            f"SystemConfig.crystal: ASE cannot build {name!r} without the name of a crystal structure ({state}); set "
            "crystal and lattice_constant, or set structure to a file"
        )
    assert crystal is not None
    return crystal


def _check_formula(config: SystemConfig, crystal: str) -> None:
    """Check that the structure exists and has as many atoms as the formula."""
    if crystal not in ATOMS:
        raise ConfigError(
            f"SystemConfig.crystal: ASE cannot build {config.structure!r} as {crystal!r}; {nearest(crystal, [*ATOMS])}"
        )
    symbols = config.symbols
    if len(symbols) != ATOMS[crystal]:
        raise ConfigError(
            f"SystemConfig.crystal: ASE cannot build {config.structure!r} as {crystal!r}, whose formula has "
            f"{ATOMS[crystal]} atom{'s' if ATOMS[crystal] > 1 else ''}, not {len(symbols)}; set another crystal, or "
            "set structure to a file"
        )
    if len(symbols) > 1 and not (len(set(symbols)) == 2 and len(set(symbols[1:])) == 1):
        example = "CaF2" if len(symbols) == 3 else "NaCl"
        raise ConfigError(
            f"SystemConfig.structure: expected a formula like '{example}' for {crystal}, got {config.structure!r}"
        )
    if len(symbols) > 1 and config.lattice_constant is None:
        raise ConfigError(
            f"SystemConfig.lattice_constant: ASE has no lattice constant of {config.structure!r}; set it, in Å"
        )
