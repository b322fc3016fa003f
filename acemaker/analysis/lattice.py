"""The relaxed lattice: the cell of zero stress, and its lattice constants."""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from acemaker.analysis.measured import Measured, NotApplicable, Value
from acemaker.analysis.samples import Crystal

STEPS = 40
"""Maximum number of relaxation steps."""

FMAX = 5e-4
"""eV/Å; for the cell, a stress of 1e-4 of the modulus."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of each."""
    return STEPS + 1, crystal.n_atoms


def lattice(crystal: Crystal, calculator: BaseCalculator) -> Measured:
    """Relax cell and positions.

    Parameters
    ----------
    crystal
        The initial structure of the relaxation.
    calculator
        Must provide energy, forces and stress.

    Returns
    -------
    Measured
        Lattice constants of the conventional cell; ``curves`` has the relaxed primitive cell.

    Raises
    ------
    NotApplicable
        If the relaxation does not converge, or changes the cell by more than 20 %.
    """
    atoms = crystal.primitive.copy()
    atoms.calc = calculator
    with warnings.catch_warnings():  # scipy's matrix logarithm of a cell that has hardly changed
        warnings.simplefilter("ignore", RuntimeWarning)
        converged = BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=FMAX, steps=STEPS)
    change = np.abs(atoms.cell.array @ np.linalg.inv(crystal.primitive.cell.array) - np.eye(3)).max()
    if not converged or change > 0.2:
        raise NotApplicable(
            f"the cell does not relax within {STEPS} steps" if not converged else f"the cell changes by {change:.0%}"
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
    """Return the relaxed primitive cell, without a calculator."""
    return Atoms(
        crystal.primitive.numbers,
        scaled_positions=measured.curves["scaled"],
        cell=measured.curves["cell"],
        pbc=True,
    )
