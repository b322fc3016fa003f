"""Protocol of trainers, which fit the potentials of a campaign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from acemaker.potentials.explanation import Explanation
from acemaker.potentials.generation import Generation
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.ranking import Ranking
from acemaker.potentials.training import Training
from acemaker.structures.grading import Grading

Listener = Callable[[Iteration], None]


class Trainer(Protocol):
    """Trainer of generations from labels, which also grades and ranks structures by its training set."""

    def train(
        self,
        structures: Sequence[Atoms],
        *,
        number: int,
        directory: Path,
        predecessor: Generation | None,
        halted: Atoms | None,
        gamma_limit: float,
    ) -> Training:
        """Add labeled structures, fit and write a generation."""

    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Add the structures of earlier calls of `train`, group by group, without writing files.

        `predecessor` is the generation in use, for descriptors that were fitted with it; None before the first
        generation.
        """

    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Rank candidates by the information they would add; the first of them is the halted structure."""

    def grade(self, structures: Sequence[Atoms]) -> Grading:
        """Return gamma and features of structures: their distance from the training set."""

    def minimum_structures(self, atoms: Atoms) -> int:
        """Return the minimum number of structures like this one for the first generation."""

    def explain(self, structure: Atoms, atoms: Sequence[int] | np.ndarray) -> Explanation:
        """Explain what is outside the training set around atoms, sorted by gamma in descending order."""


@runtime_checkable
class Pretrained(Protocol):
    """Trainer that can start from the labels of an inexpensive calculator."""

    def pretrain(self, structures: Sequence[Atoms]) -> object:
        """Add these labels before `Trainer.restore` and `Trainer.train`; they do not count as labels of the oracle."""


@runtime_checkable
class LeavesOut(Protocol):
    """Trainer that can tell the errors of its latest fit if it had been made without one of its labels."""

    def left_out_forces(self, structures: Sequence[Atoms]) -> list[np.ndarray]:
        """Return prediction minus label of the forces that count, eV/Å, for each of these labels by a fit without it.

        Each array has the shape (n_counted, 3).
        """


@runtime_checkable
class ReconsidersBasis(Protocol):
    """Trainer that can choose another basis when labels show that the potential is not good enough."""

    def reconsider_basis(self, groups: Sequence[Sequence[Atoms]]) -> None:
        """Choose the basis again in the next call of `train`; `groups` are the labels of all earlier calls."""


@runtime_checkable
class UsesIsolatedAtoms(Protocol):
    """Trainer whose reference energies can be those of isolated atoms."""

    def use_isolated_atoms(self, atoms: Sequence[Atoms]) -> None:
        """Set the reference energies from labels of isolated atoms, one of each element, before the first labels.

        Without atoms, the oracle cannot label them: reference energies are fitted, and atoms without neighbors unknown.
        """
