"""Formation energy of a vacancy."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.analysis.samples import Crystal
from acemaker.structures.computed import energy_of

SHORTEST = 10.0
"""Å, minimum distance between opposite faces of the supercell."""

STEPS = 40
"""Maximum number of relaxation steps."""

FMAX = 0.01
"""eV/Å."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of each."""
    return STEPS + 2, crystal.n_atoms * _volume(crystal)


def _volume(crystal: Crystal) -> int:
    return round(abs(float(np.linalg.det(crystal.supercell(SHORTEST)))))


def vacancy(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Remove an atom from a supercell and relax the others in the cell of the perfect crystal.

    Parameters
    ----------
    crystal
        A crystal of one element.
    calculator
        Must provide energies and forces.
    relaxed
        The relaxed primitive cell.

    Returns
    -------
    Measured
        Formation energy, eV: energy of the cell with the vacancy minus that of as many atoms of the perfect crystal.

    Raises
    ------
    NotApplicable
        For a compound, sites of several kinds, or a relaxation that does not converge.
    """
    if len(set(relaxed.symbols)) > 1:
        raise NotApplicable("the energy of a vacancy in a compound depends on chemical potentials, which are not known")
    if crystal.kinds > 1:
        raise NotApplicable(f"the crystal has {crystal.kinds} kinds of sites, each with its own vacancy energy")
    perfect = make_supercell(relaxed, crystal.supercell(SHORTEST))
    perfect.calc = calculator
    energy = energy_of(perfect)
    defective = perfect[1:]
    defective.calc = calculator
    if not BFGS(defective, logfile=None).run(fmax=FMAX, steps=STEPS):
        raise NotApplicable(f"the atoms around the vacancy do not relax within {STEPS} steps")
    formation = energy_of(defective) - energy * len(defective) / len(perfect)
    return Measured(
        values=(Value(name="vacancy energy", unit="eV", value=float(formation)),), curves={"atoms": len(perfect)}
    )
