"""What a potential says on LAMMPS's neighbour lists, by this process alone or with others."""

from __future__ import annotations

from typing import Any

from acemaker.engines.neighbours import NeighbourEnvironment
from acemaker.engines.workers import Workers
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
        self._evaluator = evaluator
        self._workers = workers
        self._shared = -1
        self.neighbours = NeighbourEnvironment(lmp, 1 + len(workers) if workers is not None else 1)

    def forget(self) -> None:
        """Read the lists anew at the next call."""
        self.neighbours.forget()

    def evaluate(self, nlocal: int, *, graded: bool) -> Evaluation:
        """Evaluate the ACE.

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
        return own if self._workers is None else self._workers.add_to(own)
