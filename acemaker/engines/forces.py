"""Evaluation of a potential on LAMMPS's neighbor lists, in this process alone or with force processes."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from acemaker.engines.neighbors import NeighborEnvironment
from acemaker.engines.workers import Workers
from acemaker.lammps.box import held_atoms
from acemaker.potentials.evaluator import Evaluation, Evaluator


class Forces:
    """Evaluates the potential for the atoms of a LAMMPS instance.

    Parameters
    ----------
    lmp
        LAMMPS instance with ``pair_style zero ... full``.
    evaluator
        Potential.
    workers
        Force processes, each of which evaluates a share of the atoms; the potential must be loaded there.

    Attributes
    ----------
    neighbors : NeighborEnvironment
        Neighbor lists.
    """

    def __init__(self, lmp: Any, evaluator: Evaluator, workers: Workers | None = None) -> None:
        self._lmp = lmp
        self._evaluator = evaluator
        self._workers = workers
        self._shared_build = -1
        self._baseline_cache: tuple[Atoms, tuple[float, np.ndarray, np.ndarray]] | None = None
        self.neighbors = NeighborEnvironment(lmp, 1 + len(workers) if workers is not None else 1)

    def invalidate(self) -> None:
        """Read the neighbor lists again at the next call."""
        self.neighbors.invalidate()

    def evaluate(self, nlocal: int, *, graded: bool) -> Evaluation:
        """Evaluate the ACE potential, and add the baseline unless LAMMPS adds it.

        Parameters
        ----------
        nlocal
            Number of atoms without ghosts.
        graded
            Whether to compute gamma.
        """
        self.neighbors.refresh(nlocal)
        if self._workers is not None:
            if self._shared_build != self.neighbors.builds:
                self._workers.share(self.neighbors.shares)
                self._shared_build = self.neighbors.builds
            self._workers.begin(self.neighbors.positions, graded)
        environment = self.neighbors.environment()
        own = self._evaluator.graded(environment) if graded else self._evaluator.fast(environment)
        ace = own if self._workers is None else self._workers.add_to(own)
        baseline = self._evaluator.baseline
        if baseline is None or baseline.in_lammps:
            return ace
        atoms = held_atoms(self._lmp, nlocal, self._evaluator.elements)
        # a step may be evaluated twice, with and without gamma
        if self._baseline_cache is None or self._baseline_cache[0] != atoms:
            self._baseline_cache = atoms, baseline.evaluate(atoms)
        local = self._lmp.numpy.extract_atom("id")[:nlocal] - 1
        return ace.plus(*self._baseline_cache[1], order=local)
