"""The energy that it takes to form a vacancy."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.calculators.calculator import BaseCalculator
from ase.optimize import BFGS

from acemaker.analysis.crystal import Crystal
from acemaker.analysis.measured import LeftOut, Measured, Value
from acemaker.structures.computed import energy_of

SHORTEST = 10.0
"""Å, between opposite faces of the supercell."""

STEPS = 40
"""Of the relaxation, at most."""

FMAX = 0.01
"""eV/Å."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the calls that it takes at most, and the atoms of each."""
    return STEPS + 2, crystal.n_atoms * _volume(crystal)


def _volume(crystal: Crystal) -> int:
    return round(abs(float(np.linalg.det(crystal.supercell(SHORTEST)))))


def vacancy(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Take an atom out of a supercell and relax the others, in the cell of the perfect crystal.

    Parameters
    ----------
    crystal
        Of one element.
    calculator
        Gives energies and forces.
    relaxed
        The primitive cell at rest.

    Returns
    -------
    Measured
        Formation energy, eV: that of the cell with the vacancy above as many atoms of the perfect one.

    Raises
    ------
    LeftOut
        For a compound, sites of several kinds, or a relaxation that does not end.
    """
    if len(set(relaxed.symbols)) > 1:
        raise LeftOut("a vacancy in a compound has an energy only with chemical potentials, which nobody has given")
    if crystal.kinds > 1:
        raise LeftOut(f"the crystal has {crystal.kinds} kinds of sites, each with a vacancy of its own")
    perfect = make_supercell(relaxed, crystal.supercell(SHORTEST))
    perfect.calc = calculator
    energy = energy_of(perfect)
    left = perfect[1:]
    left.calc = calculator
    if not BFGS(left, logfile=None).run(fmax=FMAX, steps=STEPS):
        raise LeftOut(f"the atoms around the vacancy do not come to rest in {STEPS} steps")
    formation = energy_of(left) - energy * len(left) / len(perfect)
    return Measured(
        values=(Value(name="vacancy energy", unit="eV", value=float(formation)),), curves={"atoms": len(perfect)}
    )
