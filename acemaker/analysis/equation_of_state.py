"""Equation of state: energy against volume."""

from __future__ import annotations

import numpy as np
from ase import units
from ase.calculators.calculator import BaseCalculator
from ase.eos import EquationOfState

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.analysis.samples import Crystal
from acemaker.structures.computed import energy_of

SCALES = tuple(np.linspace(0.95, 1.05, 9))
"""Volumes, in units of the volume of the campaign's crystal."""

SCANS = 3
"""Maximum number of scans: if the lowest energy is at an edge, the next scan is centered there."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of each."""
    return SCANS * len(SCALES), crystal.n_atoms


def equation_of_state(crystal: Crystal, calculator: BaseCalculator) -> Measured:
    """Scale the crystal isotropically, without relaxing its atoms, and fit the Birch-Murnaghan equation of state.

    Parameters
    ----------
    crystal
        The campaign's crystal.
    calculator
        Must provide energies.

    Returns
    -------
    Measured
        Volume and bulk modulus; ``curves`` has volumes, Å^3/atom, and energies above the fitted minimum, eV/atom.

    Raises
    ------
    NotApplicable
        If there is no minimum of the energy nearby.

    References
    ----------
    Birch, Phys. Rev. 71, 809 (1947).
    """
    n_atoms, middle = crystal.n_atoms, 1.0
    for _ in range(SCANS):
        volumes, energies = [], []
        for scale in SCALES:
            atoms = crystal.primitive.copy()
            atoms.set_cell(atoms.cell.array * (middle * scale) ** (1 / 3), scale_atoms=True)
            atoms.calc = calculator
            volumes.append(atoms.get_volume() / n_atoms)
            energies.append(energy_of(atoms) / n_atoms)
        lowest = int(np.argmin(energies))
        if 0 < lowest < len(SCALES) - 1:
            break
        middle *= SCALES[lowest]
    else:
        raise NotApplicable(f"no lowest energy down or up to {volumes[lowest]:.2f} Å³/atom")
    try:
        volume, energy, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    except (ValueError, RuntimeError) as error:
        raise NotApplicable(f"the equation of state cannot be fitted: {error}") from error
    return Measured(
        values=(
            Value(name="volume", unit="Å³/atom", value=float(volume)),
            Value(name="bulk modulus", unit="GPa", value=float(modulus / units.GPa)),
        ),
        curves={"volume": volumes, "energy": [value - float(energy) for value in energies]},
    )
