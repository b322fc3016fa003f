"""Contract tests for a trainer, as a test class to inherit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.potentials.generation import Generation
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.training import Training
from acemaker.states import State

GAMMA_LIMIT = 2.0
FILES = ("yaml", "yace", "asi", "lammps_input")


@dataclass(frozen=True)
class TwoGenerations:
    """A trainer with two generations, and gamma of the new label before and after the first one.

    Attributes
    ----------
    trainer : Trainer
        Trainer of both generations.
    folder : Path
        Folder of their files.
    first, second : Training
        Results of the two fits.
    ungraded : float
        Largest gamma of the new label before any fit; NaN.
    gamma_before : float
        Largest gamma of the new label with the first generation.
    """

    trainer: Trainer
    folder: Path
    first: Training
    second: Training
    ungraded: float
    gamma_before: float


class TrainerContract:
    """Contract of a trainer.

    Two generations are trained once for all tests, since fits may take long.

    Examples
    --------
    Inherit from it in a test file, and define what makes yours; pytest then runs all its tests.

    >>> from acemaker.testing import TrainerContract
    >>> class TestMine(TrainerContract): ...
    """

    n_first = 4
    """Number of labels of the first generation."""

    _trained: ClassVar[TwoGenerations]

    def make_trainer(self) -> Trainer:
        """Return a new trainer."""
        raise NotImplementedError

    def make_labels(self, n: int, scale: float, seed: int) -> list[Atoms]:
        """Return `n` labeled structures with random displacements of `scale` Å, reproducible by `seed`."""
        raise NotImplementedError

    @pytest.fixture
    def trained(self, tmp_path_factory: pytest.TempPathFactory) -> TwoGenerations:
        """Train two generations once for all tests, the second with a structure on which the first extrapolates."""
        if "_trained" not in vars(type(self)):
            type(self)._trained = self._train_two(tmp_path_factory)
        return self._trained

    def _train_two(self, tmp_path_factory: pytest.TempPathFactory) -> TwoGenerations:
        folder = tmp_path_factory.mktemp("potentials")
        trainer, (halted,) = self.make_trainer(), self.new_labels()
        ungraded = float(trainer.grade([halted]).gamma_max[0])
        first = self.train(trainer, folder, self.make_labels(self.n_first, 0.12, 0))
        gamma = float(trainer.grade([halted]).gamma_max[0])
        second = self.train(trainer, folder, [halted], first.generation, halted)
        return TwoGenerations(trainer, folder, first, second, ungraded, gamma)

    def new_labels(self) -> list[Atoms]:
        """Return the label that the second generation adds."""
        return self.make_labels(1, 0.2, 8)

    @staticmethod
    def train(
        trainer: Trainer,
        folder: Path,
        labels: list[Atoms],
        predecessor: Generation | None = None,
        halted: Atoms | None = None,
    ) -> Training:
        """Train as a campaign does."""
        return trainer.train(
            labels,
            number=1 if predecessor is None else predecessor.number + 1,
            directory=folder,
            predecessor=predecessor,
            halted=halted,
            gamma_limit=GAMMA_LIMIT,
        )

    def test_generations_are_written_and_describe_their_contents(self, trained: TwoGenerations) -> None:
        """Files, numbers, errors and the next state are correct."""
        for number, training in enumerate((trained.first, trained.second), start=1):
            assert training.accepted, training.reason
            assert training.generation.number == number
            assert training.n_structures == training.generation.n_structures == self.n_first + number - 1
            assert all(getattr(training.generation, name).is_file() for name in FILES)
            assert np.isfinite([training.train_errors.energy, training.train_errors.forces]).all()
            assert training.headline() and training._repr_html_() == training._repr_html_()
        assert (trained.first.next, trained.second.next) == (State.EXPLORE, State.RESUME)
        assert not list(trained.folder.glob("writing_*"))

    def test_predictions_are_those_of_the_potential(self, trained: TwoGenerations) -> None:
        """A calculator that reads the files reproduces the predictions in the record."""
        generation, (label,) = trained.second.generation, self.new_labels()
        atoms = Atoms(label.symbols, label.positions, cell=label.cell, pbc=label.pbc)
        atoms.calc = generation.calculator()
        energies = [structure.get_potential_energy() / len(atoms) for structure in (label, atoms)]
        assert np.allclose(trained.second.energies[0], energies, atol=1e-7)
        assert np.allclose(trained.second.forces[:, 0], label.get_forces().ravel(), atol=1e-12)
        assert np.allclose(trained.second.forces[:, 1], atoms.get_forces().ravel(), atol=1e-7)

    def test_the_halted_structure_is_extrapolated_before_and_not_afterwards(self, trained: TwoGenerations) -> None:
        """The gamma of the trainer agrees with that of the potential."""
        (halted,) = self.new_labels()
        assert np.isnan(trained.ungraded)
        assert trained.gamma_before > GAMMA_LIMIT
        assert trained.second.halted_gamma <= 1.01
        other = self.make_labels(1, 0.22, 9)[0]
        grades = trained.trainer.grade([halted, other])
        assert len(grades.features) == 2
        for index, (structure, gamma) in enumerate(zip((halted, other), grades.gamma_max, strict=True)):
            atoms = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
            atoms.calc = trained.second.generation.calculator()
            atoms.get_potential_energy()
            assert np.isclose(atoms.calc.results["gamma"].max(), gamma, rtol=1e-6)
            if grades.gamma:  # optional for a trainer
                assert np.allclose(grades.gamma[index], atoms.calc.results["gamma"], rtol=1e-6)

    def test_ranks_the_halted_structure_first_and_omits_excluded_candidates(self, trained: TwoGenerations) -> None:
        """Every other candidate is either selected or in reserve."""
        candidates = self.make_labels(4, 0.25, 3)
        ranking = trained.trainer.rank(candidates, 2)
        assert ranking.selected[0] == 0
        assert sorted((*ranking.selected, *ranking.reserve)) == [0, 1, 2, 3]
        rest = trained.trainer.rank(candidates, 2, [0, 2])
        assert sorted((*rest.selected, *rest.reserve)) == [1, 3]
        assert trained.trainer.minimum_structures(candidates[0]) >= 1

    def test_explains_extrapolation(self, trained: TwoGenerations) -> None:
        """The smallest distance in the training data is that of the labels."""
        labels = [*self.make_labels(self.n_first, 0.12, 0), *self.new_labels()]
        smallest = min(
            distances[np.triu_indices(len(atoms), 1)].min()
            for atoms in labels
            for distances in [atoms.get_all_distances(mic=True)]
        )
        assert np.isclose(trained.trainer.explain(labels[0], [0]).trained_distance, smallest, atol=1e-9)

    def test_a_restored_trainer_continues_to_the_same_bits(self, trained: TwoGenerations, tmp_path: Path) -> None:
        """A reopened campaign restores the trainer from the labels and the files of the generation."""
        trainer, labels = self.make_trainer(), self.new_labels()
        trainer.restore([self.make_labels(self.n_first, 0.12, 0)], trained.first.generation)
        assert float(trainer.grade(labels).gamma_max[0]) == trained.gamma_before
        again = self.train(trainer, tmp_path, labels, trained.first.generation, labels[0])
        for name in ("yaml", "yace", "lammps_input"):
            first, second = (getattr(training.generation, name).read_bytes() for training in (trained.second, again))
            assert first == second, name
        first, second = (np.load(training.generation.asi) for training in (trained.second, again))
        assert all(np.array_equal(first[element], second[element]) for element in first.files)
        assert repr(again) == repr(trained.second)

    def test_labels_that_spoil_the_fit_are_rejected_and_nothing_is_written(
        self, trained: TwoGenerations, tmp_path: Path
    ) -> None:
        """The forces are large and belong to other atoms; afterwards the trainer is unchanged and can rank."""
        trainer, (label,) = self.make_trainer(), self.new_labels()
        trainer.restore([self.make_labels(self.n_first, 0.12, 0)], trained.first.generation)
        wrong = label.copy()
        results = dict(label.calc.results)
        results["forces"] = 30 * np.roll(results["forces"], 5, axis=0)
        wrong.calc = SinglePointCalculator(wrong, **results)
        training = self.train(trainer, tmp_path, [wrong], trained.first.generation, wrong)
        assert not training.accepted
        assert training.reason
        assert training.next is State.SELECT
        assert "rejected" in repr(training)
        assert not list(tmp_path.glob("potential_*"))
        assert trainer.rank(self.make_labels(2, 0.25, 3), 1).selected == (0,)
