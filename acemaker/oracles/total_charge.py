"""Total charge and spin that a structure states, and whether the oracle receives them.

An oracle receives symbols, positions, cell, periodicity and magnetic moments. A charge or multiplicity in ``info``, as
from the comment line of an extended XYZ file, would be lost, and the labels would be those of the neutral system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.config.oracle import SPINLESS
from acemaker.errors import StructureError
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.start_moments import with_start_moments

CHARGES = ("charge", "total_charge", "tot_charge", "net_charge", "cellcharge")
"""Names of a total charge in ``info`` and in the arguments of oracles, in lower case."""

MULTIPLICITIES = ("multiplicity", "spin_multiplicity")
"""Names of the number 2S + 1, in lower case."""

SPINS = ("spin",)
"""Names of the number 2S + 1 or 2S, depending on who wrote it; 0 and 1 are the lowest spin in both cases."""

UNPAIRED = ("tot_magnetization", "nupdown", "uhf")
"""Names of the number 2S in the arguments of oracles, in lower case."""

CLASSICAL = ("emt", "lammps")
"""Oracles of atoms without electrons, for which a total charge has no meaning."""

ROUNDING = 1e-3
"""Elementary charges, or units of spin."""

REMEDIES = {
    "tblite": ("oracle_arguments={{'charge': {0:g}}}", "oracle_arguments={{'multiplicity': {0:g}}}"),
    "cp2k": ("oracle_arguments={{'charge': {0:g}}}", "oracle_arguments={{'multiplicity': {0:g}, 'uks': True}}"),
    "gpaw": ("oracle_arguments={{'charge': {0:g}}}", "magnetic moments of the atoms"),
    "abinit": ("oracle_arguments={{'cellcharge': {0:g}}}", "magnetic moments of the atoms"),
    "vasp": ("oracle_arguments={{'nelect': ...}}", "oracle_arguments={{'ispin': 2, 'nupdown': ...}}"),
    "espresso": ("espresso_input={{'tot_charge': {0:g}}}", "espresso_input={{'nspin': 2, 'tot_magnetization': ...}}"),
}
"""Settings by oracle: that of the charge, and that of the spin."""


def check_total_charge(config: OracleConfig, atoms: Atoms, *, n_copies: int = 1, own: Oracle | None = None) -> None:
    """Refuse a total charge or a spin of a structure that the oracle does not receive.

    Parameters
    ----------
    config
        Settings of the oracle.
    atoms
        A walker's structure.
    n_copies
        Number of copies of the structure that was read, each of which has the charge.
    own
        The user's oracle object instead of that of the configuration.

    Raises
    ------
    StructureError
        If the structure's ``info`` contains a charge other than 0, or a multiplicity or spin other than 0 or 1, and the
        settings of the oracle do not contain the same; for an object of the user, also if the initial charges add up to
        a charge.

    Examples
    --------
    >>> from ase.build import molecule
    >>> hydroxide = molecule("OH")
    >>> hydroxide.info["charge"] = -1
    >>> check_total_charge(OracleConfig(oracle="tblite", oracle_arguments={"charge": -1}), hydroxide)
    >>> check_total_charge(OracleConfig(oracle="tblite"), hydroxide)
    Traceback (most recent call last):
    ...
    acemaker.errors.StructureError: the structure states charge=-1 (atoms.info, or the comment line of its file), ...
    """
    if own is None and config.oracle in CLASSICAL:
        return
    settings = _settings(config, own)
    name = "of your own" if own is not None else repr(config.oracle)
    stated = _numbers(atoms.info, CHARGES)
    initial = float(atoms.get_initial_charges().sum())
    if own is not None and not stated and abs(initial) > ROUNDING:
        stated, n_copies = {"sum of initial charges": initial}, 1
    charge_remedy, spin_remedy = REMEDIES.get(config.oracle if own is None else "", ("", ""))
    if own is None and not charge_remedy and config.oracle_arguments:
        charge_remedy, spin_remedy = REMEDIES["tblite"]
    charges = list(_numbers(settings, CHARGES).values())
    for key, value in stated.items():
        is_received = bool(charges) and abs(charges[0] - n_copies * value) < ROUNDING
        # VASP's number of electrons includes the charge
        if abs(value) > ROUNDING and not is_received and (charges or "nelect" not in settings):
            _refuse(name, key, value, n_copies * value, charges, charge_remedy)
    multiplicities = [
        *_numbers(settings, MULTIPLICITIES).values(),
        *(value + 1 for value in _numbers(settings, UNPAIRED).values()),
    ]
    if not multiplicities and (own is not None or config.oracle not in SPINLESS):
        moments = with_start_moments(atoms, config.magnetic_moments).get_initial_magnetic_moments()
        multiplicities = [abs(float(moments.sum())) + 1] if moments.any() else []
    for key, value in _numbers(atoms.info, (*MULTIPLICITIES, *SPINS)).items():
        meanings = (value, value + 1) if key.lower() in SPINS else (value,)
        is_received = any(abs(number - meaning) < ROUNDING for number in multiplicities for meaning in meanings)
        if min(abs(value), abs(value - 1)) > ROUNDING and not is_received:
            _refuse(name, key, value, value, multiplicities, spin_remedy)


def stated_charge(config: OracleConfig) -> float | None:
    """Return the total charge in the settings of an oracle, elementary charges; None if there is none."""
    return next(iter(_numbers(_settings(config, None), CHARGES).values()), None)


def _refuse(name: str, key: str, value: float, needed: float, stated: list[float], remedy: str) -> None:
    what = "the" if key == "sum of initial charges" else "the structure states"
    source = "" if key == "sum of initial charges" else " (atoms.info, or the comment line of its file)"
    lost = (
        f"but the settings of the oracle {name} state {stated[0]:g}"
        + (f" instead of {needed:g} for the whole supercell" if needed != value else "")
        if stated
        else f"which is not passed to the oracle {name}: it receives symbols, positions, cell, periodicity and "
        "magnetic moments, and would label another state"
    )
    setting = remedy.format(needed) if remedy else "it in a calculator or factory of your own"
    removal = "atoms.set_initial_charges(None)" if key == "sum of initial charges" else f"del atoms.info[{key!r}]"
    raise StructureError(f"{what} {key}={value:g}{source}, {lost}. Set {setting}, and otherwise remove it ({removal})")


def _settings(config: OracleConfig, own: Oracle | None) -> dict[str, Any]:
    """Return the settings of an oracle by name in lower case."""
    if own is not None:
        calculator = getattr(getattr(own, "factory", None), "calculator", None)
        parameters = getattr(calculator, "parameters", None)
        return {str(key).lower(): value for key, value in dict(parameters or {}).items()}
    inputs = {indexed(name)[0]: value for _, name, value in items(config.espresso_input)}
    return {key.lower(): value for key, value in {**config.oracle_arguments, **inputs}.items()}


def _numbers(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Return the values with one of the names, regardless of case, that are numbers; per atom, their sum.

    Raises
    ------
    StructureError
        If one is not a number.
    """
    accepted, numbers = set(names), {}
    for key, value in values.items():
        if not isinstance(key, str) or key.lower() not in accepted or value is None:
            continue
        try:
            numbers[key] = float(np.asarray(value, dtype=float).sum())
        except (TypeError, ValueError) as error:
            raise StructureError(f"expected a number as {key}, got {value!r}; correct or remove it") from error
    return numbers
