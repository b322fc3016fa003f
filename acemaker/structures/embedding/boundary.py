"""Relaxing the seam of a small cell, all else held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.structures.computed import forces_of

LARGEST_STEP = 0.1
"""Å, of an atom in one step of the relaxation: overlapping atoms have forces of any size."""


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """What became of a seam.

    Attributes
    ----------
    structure : Atoms
        With the seam moved.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å, by the current potential.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades; zero where the potential knows none.
    steps : int
        How many were taken.
    """

    structure: Atoms
    forces: np.ndarray
    gamma: np.ndarray
    steps: int


def relax_seam(
    cut: Atoms,
    movable: np.ndarray,
    seam: np.ndarray,
    calculator: BaseCalculator,
    *,
    gamma_limit: np.ndarray,
    force_limit: float,
    max_steps: int,
) -> Relaxation:
    """Move the seam downhill (FIRE: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)), no further than needed.

    The aim is not a minimum, in which thermal motion would be lost, but a seam that the potential knows and whose
    forces are no larger than the parent's.

    Parameters
    ----------
    cut
        The cell as it was cut; it is not changed.
    movable : ndarray of bool, shape (n_atoms,)
        What moves.
    seam : ndarray of bool, shape (n_atoms,)
        Whose gamma is to come down; holds what moves.
    calculator
        The current potential: energy and forces, and ``results["gamma"]`` if it knows one.
    gamma_limit : ndarray, shape (n_atoms,)
        What no gamma of the seam is to exceed.
    force_limit
        eV/Å, what no force on a movable atom is to exceed.
    max_steps
        After how many the relaxation ends all the same.

    Returns
    -------
    Relaxation
        The frame that came nearest to the aim.
    """
    from ase.constraints import FixAtoms
    from ase.optimize import FIRE

    atoms = cut.copy()
    atoms.calc = calculator
    atoms.set_constraint(FixAtoms(np.flatnonzero(~movable)))
    best: tuple[float, Relaxation] | None = None
    optimiser = FIRE(atoms, logfile=None, maxstep=LARGEST_STEP)
    for step, _ in enumerate(optimiser.irun(fmax=0.0, steps=max_steps if movable.any() else 0)):
        frame = _look(atoms, step)
        # 1 is the aim; what is not finite is infinitely far from it
        excess = max(
            1.0,
            float((frame.gamma / gamma_limit)[seam].max(initial=0.0)),
            float(np.linalg.norm(frame.forces[movable], axis=1).max(initial=0.0)) / force_limit,
        )
        excess = excess if np.isfinite(frame.forces).all() and np.isfinite(excess) else np.inf
        if best is None or excess < best[0]:
            best = excess, frame
        if excess <= 1.0 or excess == np.inf:
            break
    assert best is not None
    return best[1]


def _look(atoms: Atoms, step: int) -> Relaxation:
    forces = forces_of(atoms)
    gamma = atoms.calc.results.get("gamma")
    structure = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return Relaxation(
        structure=structure,
        forces=forces.copy(),
        gamma=np.zeros(len(atoms)) if gamma is None else np.array(gamma, dtype=float),
        steps=step,
    )
