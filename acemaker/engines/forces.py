"""What a potential says on LAMMPS's neighbour lists, by this process alone or with others."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from acemaker.engines.neighbors import NeighbourEnvironment
from acemaker.engines.workers import Workers
from acemaker.lammps.box import held_atoms
from acemaker.potentials.evaluator import Evaluation, Evaluator


class Forces:
    """Evaluates the atoms that LAMMPS holds.

    Parameters
    ----------
    lmp
        A LAMMPS with ``pair_style zero ... full``.
    evaluator
        The potential.
    workers
        Processes that take a share of the atoms; they have the potential.

    Attributes
    ----------
    neighbours : NeighbourEnvironment
        The lists.
    """

    def __init__(self, lmp: Any, evaluator: Evaluator, workers: Workers | None = None) -> None:
        self._lmp = lmp
        self._evaluator = evaluator
        self._workers = workers
        self._shared = -1
        self._below: tuple[Atoms, tuple[float, np.ndarray, np.ndarray]] | None = None
        self.neighbours = NeighbourEnvironment(lmp, 1 + len(workers) if workers is not None else 1)

    def forget(self) -> None:
        """Read the lists anew at the next call."""
        self.neighbours.forget()

    def evaluate(self, nlocal: int, *, graded: bool) -> Evaluation:
        """Evaluate the ACE, and the baseline where LAMMPS does not add it.

        Parameters
        ----------
        nlocal
            Atoms without ghosts.
        graded
            With gamma.
        """
        self.neighbours.refresh(nlocal)
        if self._workers is not None:
            if self._shared != self.neighbours.builds:
                self._workers.share(self.neighbours.shares)
                self._shared = self.neighbours.builds
            self._workers.begin(self.neighbours.positions, graded)
        environment = self.neighbours.environment()
        own = self._evaluator.graded(environment) if graded else self._evaluator.fast(environment)
        ace = own if self._workers is None else self._workers.add_to(own)
        baseline = self._evaluator.baseline
        if baseline is None or baseline.in_lammps:
            return ace
        atoms = held_atoms(self._lmp, nlocal, self._evaluator.elements)
        if self._below is None or self._below[0] != atoms:  # it may be asked twice a step, with gamma and without
            self._below = atoms, baseline.evaluate(atoms)
        local = self._lmp.numpy.extract_atom("id")[:nlocal] - 1
        return ace.plus(*self._below[1], order=local)
