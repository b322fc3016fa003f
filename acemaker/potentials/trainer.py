"""What a campaign needs of whatever makes its potentials."""

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
    """Makes generations out of labels, and knows what they cover."""

    def train(
        self,
        structures: Sequence[Atoms],
        *,
        number: int,
        directory: Path,
        predecessor: Generation | None,
        anchor: Atoms | None,
        gamma_limit: float,
    ) -> Training:
        """Take in labelled structures and write a generation."""

    def restore(self, groups: Sequence[Sequence[Atoms]], predecessor: Generation | None = None) -> None:
        """Take in what earlier calls of `train` took in, group by group, without writing anything.

        `predecessor` is the generation in use, for descriptors that were fitted with it; None before generation 0.
        """

    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Order candidates by what they would teach; the first of them is the anchor."""

    def grade(self, structures: Sequence[Atoms]) -> Grading:
        """Say how far structures are from the training set."""

    def minimum_structures(self, atoms: Atoms) -> int:
        """Return how many structures like this one generation 0 needs at least."""

    def explain(self, structure: Atoms, atoms: Sequence[int] | np.ndarray) -> Explanation:
        """Say what the training set lacks around some atoms of a structure, the worst of them first."""


@runtime_checkable
class Pretrained(Protocol):
    """A trainer that can start from the labels of a cheap calculator."""

    def pretrain(self, structures: Sequence[Atoms]) -> object:
        """Take them in, before `Trainer.restore` and `Trainer.train`; they do not count as labels."""
