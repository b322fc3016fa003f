"""Estimate of the fastest vibration of a structure, with which a time step is compared."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols

from acemaker.structures.per_atom import frozen_atoms

STIFFEST = 1300.0
STIFFNESS = dict.fromkeys(("B", "C", "N", "O", "F"), STIFFEST) | {"H": 800.0}
OTHERS = 300.0
"""Force constants of the stiffest bonds that an element forms, N/m: C-H, N-H and O-H bonds stretch at 3000 to 3700
inverse centimeters, double and triple bonds of the second row at 1600 to 2300; of metals, the highest phonons."""

FEWEST_STEPS = 8.0
"""Number of steps per period below which a time step is remarked; velocity Verlet becomes unstable below pi."""

ENOUGH_STEPS = 10.0
"""Number of steps per period of the time step that is proposed."""


def fastest_vibration(atoms: Atoms) -> tuple[str, float]:
    """Estimate the shortest period of vibration of a structure, from masses and typical force constants.

    Parameters
    ----------
    atoms
        The structure, with its masses; frozen atoms do not count.

    Returns
    -------
    element : str
        Chemical symbol of the atoms that vibrate.
    period : float
        fs; infinite for a structure without atoms that move.

    Examples
    --------
    >>> from ase.build import molecule
    >>> element, period = fastest_vibration(molecule("H2O"))
    >>> element, round(period, 1)
    ('H', 9.1)
    """
    free = ~frozen_atoms(atoms)
    if not free.any():
        return "", math.inf
    newton_per_meter = units.kJ / 1000 / units.m**2
    constants = np.array([STIFFNESS.get(symbol, OTHERS) for symbol in atoms.get_chemical_symbols()]) * newton_per_meter
    periods = 2 * math.pi * np.sqrt(atoms.get_masses() / constants) / units.fs
    fastest = int(np.where(free, periods, np.inf).argmin())
    return chemical_symbols[atoms.numbers[fastest]], float(periods[fastest])


def remark_on_time_step(atoms: Atoms, time_step: float) -> str:
    """Return a remark if a time step is too long for the fastest vibration of a structure, else an empty string.

    Parameters
    ----------
    atoms
        The structure, with its masses.
    time_step
        fs.

    Examples
    --------
    >>> from ase.build import bulk, molecule
    >>> remark_on_time_step(bulk("Cu"), 2.0)
    ''
    >>> remark_on_time_step(molecule("H2O"), 2.0)[:70]
    'a time step of 2 fs is long for H (1.01 u), whose stiffest bonds vibra'
    """
    element, period = fastest_vibration(atoms)
    if not time_step > period / FEWEST_STEPS:
        return ""
    mass = float(atoms.get_masses()[(atoms.symbols == element) & ~frozen_atoms(atoms)].min())
    return (
        f"a time step of {time_step:g} fs is long for {element} ({mass:.3g} u), whose stiffest bonds vibrate with a "
        f"period of about {period:.2g} fs: energy and temperature may drift. Set timestep to "
        f"{period / ENOUGH_STEPS:.1g} fs or less, or increase the mass (atoms.set_masses) if only structures matter "
        "and not times"
    )
