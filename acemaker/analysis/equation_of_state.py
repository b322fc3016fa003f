"""Energy against volume."""

from __future__ import annotations

import numpy as np
from ase import units
from ase.calculators.calculator import BaseCalculator
from ase.eos import EquationOfState

from acemaker.analysis.crystal import Crystal
from acemaker.analysis.measured import LeftOut, Measured, Value
from acemaker.structures.computed import energy_of

SCALES = tuple(np.linspace(0.95, 1.05, 9))
"""Volumes, in units of that of the campaign's crystal."""

SCANS = 3
"""At most: where the lowest energy is at an edge, the next one begins around it."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the calls that it takes at most, and the atoms of each."""
    return SCANS * len(SCALES), crystal.n_atoms


def equation_of_state(crystal: Crystal, calculator: BaseCalculator) -> Measured:
    """Strain the crystal evenly, atoms at their sites, and fit Birch and Murnaghan's equation of state.

    Parameters
    ----------
    crystal
        The campaign's.
    calculator
        Gives energies.

    Returns
    -------
    Measured
        Volume and bulk modulus; ``curves`` has volumes, Å^3/atom, and energies above the fitted minimum, eV/atom.

    Raises
    ------
    LeftOut
        If there is no lowest energy nearby.

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
        raise LeftOut(f"no lowest energy down or up to {volumes[lowest]:.2f} Å³/atom")
    try:
        volume, energy, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    except (ValueError, RuntimeError) as error:
        raise LeftOut(f"the equation of state cannot be fitted: {error}") from error
    return Measured(
        values=(
            Value(name="volume", unit="Å³/atom", value=float(volume)),
            Value(name="bulk modulus", unit="GPa", value=float(modulus / units.GPa)),
        ),
        curves={"volume": volumes, "energy": [one - float(energy) for one in energies]},
    )
