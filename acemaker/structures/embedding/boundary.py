"""Relaxation of the boundary of a small cell, with all other atoms fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.structures.computed import forces_of
from acemaker.structures.per_atom import bare_copy, frozen_atoms

LARGEST_STEP = 0.1
"""Å, largest displacement of an atom in a step of the relaxation: forces on overlapping atoms may be arbitrarily
large."""


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Result of the relaxation of a boundary.

    Attributes
    ----------
    structure : Atoms
        The relaxed structure.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å, from the current potential.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades; zero if the potential has none.
    steps : int
        Number of steps.
    """

    structure: Atoms
    forces: np.ndarray
    gamma: np.ndarray
    steps: int


def relax_boundary(
    cut: Atoms,
    movable: np.ndarray,
    boundary: np.ndarray,
    calculator: BaseCalculator,
    *,
    gamma_limit: np.ndarray,
    force_limit: float,
    max_steps: int,
) -> Relaxation:
    """Relax the boundary only as far as needed (FIRE: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)).

    The aim is not a minimum, in which thermal motion would be lost, but a boundary with a small gamma and forces that
    are not larger than those in the parent.

    Parameters
    ----------
    cut
        The cell as it was cut; it is not changed.
    movable : ndarray of bool, shape (n_atoms,)
        True for atoms that move, unless they are frozen.
    boundary : ndarray of bool, shape (n_atoms,)
        True for atoms whose gamma is to be reduced, which include all movable ones.
    calculator
        Calculator of the current potential: energy and forces, and optionally ``results["gamma"]``.
    gamma_limit : ndarray, shape (n_atoms,)
        Target: largest gamma of each atom of the boundary.
    force_limit
        Target: largest force on a movable atom, eV/Å.
    max_steps
        Maximum number of steps.

    Returns
    -------
    Relaxation
        The frame that is nearest to the targets.
    """
    from ase.constraints import FixAtoms
    from ase.optimize import FIRE

    atoms = cut.copy()
    atoms.calc = calculator
    movable = movable & ~frozen_atoms(cut)
    atoms.set_constraint(FixAtoms(np.flatnonzero(~movable)))
    best: tuple[float, Relaxation] | None = None
    optimizer = FIRE(atoms, logfile=None, maxstep=LARGEST_STEP)
    for step, _ in enumerate(optimizer.irun(fmax=0.0, steps=max_steps if movable.any() else 0)):
        frame = _evaluate_frame(atoms, step)
        # 1 is the target; values that are not finite count as infinity
        excess = max(
            1.0,
            float((frame.gamma / gamma_limit)[boundary].max(initial=0.0)),
            float(np.linalg.norm(frame.forces[movable], axis=1).max(initial=0.0)) / force_limit,
        )
        excess = excess if np.isfinite(frame.forces).all() and np.isfinite(excess) else np.inf
        if best is None or excess < best[0]:
            best = excess, frame
        if excess <= 1.0 or excess == np.inf:
            break
    assert best is not None
    return best[1]


def _evaluate_frame(atoms: Atoms, step: int) -> Relaxation:
    forces = forces_of(atoms)
    gamma = atoms.calc.results.get("gamma")
    structure = bare_copy(atoms)
    return Relaxation(
        structure=structure,
        forces=forces.copy(),
        gamma=np.zeros(len(atoms)) if gamma is None else np.array(gamma, dtype=float),
        steps=step,
    )
