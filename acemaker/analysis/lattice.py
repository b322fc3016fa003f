"""The lattice at rest: the cell of zero stress, and its constants."""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from acemaker.analysis.crystal import Crystal
from acemaker.analysis.measured import LeftOut, Measured, Value

STEPS = 40
"""Of the relaxation, at most."""

FMAX = 5e-4
"""eV/Å; of the cell, a stress of 1e-4 of the modulus."""


def calls(_: Crystal) -> tuple[int, int]:
    """Return the calls that it takes at most, and the atoms of each."""
    return STEPS + 1, _.n_atoms


def lattice(crystal: Crystal, calculator: BaseCalculator) -> Measured:
    """Relax cell and positions.

    Parameters
    ----------
    crystal
        Where to begin.
    calculator
        Gives energy, forces and stress.

    Returns
    -------
    Measured
        Lattice constants of the conventional cell; ``curves`` has the relaxed primitive cell.

    Raises
    ------
    LeftOut
        If it does not converge, or turns into another crystal.
    """
    atoms = crystal.primitive.copy()
    atoms.calc = calculator
    with warnings.catch_warnings():  # scipy's matrix logarithm of a cell that has hardly changed
        warnings.simplefilter("ignore", RuntimeWarning)
        converged = BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=FMAX, steps=STEPS)
    change = np.abs(atoms.cell.array @ np.linalg.inv(crystal.primitive.cell.array) - np.eye(3)).max()
    if not converged or change > 0.2:
        raise LeftOut(
            f"the cell does not come to rest in {STEPS} steps" if not converged else f"the cell changes by {change:.0%}"
        )
    lengths = np.linalg.norm(crystal.repeats @ atoms.cell.array, axis=1)
    names = [("a", 0), ("b", 1), ("c", 2)]
    free = [0] if crystal.space_group >= 195 else [0, 2] if crystal.space_group >= 75 else [0, 1, 2]
    return Measured(
        values=tuple(
            Value(name=f"lattice constant {names[axis][0]}", unit="Å", value=float(lengths[axis])) for axis in free
        ),
        curves={"cell": atoms.cell.array.tolist(), "scaled": atoms.get_scaled_positions().tolist()},
    )


def relaxed(crystal: Crystal, measured: Measured) -> Atoms:
    """Return the primitive cell at rest, without a calculator."""
    return Atoms(
        crystal.primitive.numbers,
        scaled_positions=measured.curves["scaled"],
        cell=measured.curves["cell"],
        pbc=True,
    )
