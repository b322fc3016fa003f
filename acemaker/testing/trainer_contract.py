"""What every trainer must do, as a test class to be inherited."""

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
class Lives:
    """A trainer that made two generations, and what it said before and after."""

    trainer: Trainer
    folder: Path
    first: Training
    second: Training
    ungraded: float
    gamma_before: float


class TrainerContract:
    """The contract of a trainer.

    Generations 0 and 1 are trained once for all tests, since fits may take long.
    """

    n_first = 4
    """Labels of generation 0."""

    _lives: ClassVar[Lives]

    def make_trainer(self) -> Trainer:
        """Return a fresh trainer."""
        raise NotImplementedError

    def make_labels(self, n: int, scale: float, seed: int) -> list[Atoms]:
        """Return labelled structures, displaced by so many Å; the same for the same seed."""
        raise NotImplementedError

    @pytest.fixture
    def lives(self, tmp_path_factory: pytest.TempPathFactory) -> Lives:
        """Train two generations, the second on a structure that the first does not know, once for all tests."""
        if "_lives" not in vars(type(self)):
            type(self)._lives = self._live(tmp_path_factory)
        return self._lives

    def _live(self, tmp_path_factory: pytest.TempPathFactory) -> Lives:
        folder = tmp_path_factory.mktemp("potentials")
        trainer, (anchor,) = self.make_trainer(), self.new_labels()
        ungraded = float(trainer.grade([anchor]).gamma_max[0])
        first = self.train(trainer, folder, self.make_labels(self.n_first, 0.12, 0))
        gamma = float(trainer.grade([anchor]).gamma_max[0])
        second = self.train(trainer, folder, [anchor], first.generation, anchor)
        return Lives(trainer, folder, first, second, ungraded, gamma)

    def new_labels(self) -> list[Atoms]:
        """Return the label that generation 1 adds."""
        return self.make_labels(1, 0.2, 8)

    @staticmethod
    def train(
        trainer: Trainer,
        folder: Path,
        labels: list[Atoms],
        predecessor: Generation | None = None,
        anchor: Atoms | None = None,
    ) -> Training:
        """Train as a campaign does."""
        return trainer.train(
            labels,
            number=0 if predecessor is None else predecessor.number + 1,
            directory=folder,
            predecessor=predecessor,
            anchor=anchor,
            gamma_limit=GAMMA_LIMIT,
        )

    def test_generations_are_written_and_say_what_they_know(self, lives: Lives) -> None:
        """Files, numbers, errors and the state that follows."""
        for number, training in enumerate((lives.first, lives.second)):
            assert training.accepted, training.reason
            assert training.generation.number == number
            assert training.n_structures == training.generation.n_structures == self.n_first + number
            assert all(getattr(training.generation, name).is_file() for name in FILES)
            assert np.isfinite([training.train_errors.energy, training.train_errors.forces]).all()
            assert training.headline() and training._repr_html_() == training._repr_html_()
        assert (lives.first.next, lives.second.next) == (State.EXPLORE, State.RESUME)
        assert not list(lives.folder.glob("writing_*"))

    def test_predictions_are_those_of_the_potential(self, lives: Lives) -> None:
        """What the record shows of the new labels, the files give by themselves."""
        generation, (label,) = lives.second.generation, self.new_labels()
        atoms = Atoms(label.symbols, label.positions, cell=label.cell, pbc=label.pbc)
        atoms.calc = generation.calculator()
        energies = [one.get_potential_energy() / len(atoms) for one in (label, atoms)]
        assert np.allclose(lives.second.energies[0], energies, atol=1e-7)
        assert np.allclose(lives.second.forces[:, 0], label.get_forces().ravel(), atol=1e-12)
        assert np.allclose(lives.second.forces[:, 1], atoms.get_forces().ravel(), atol=1e-7)

    def test_the_anchor_is_unknown_before_and_known_afterwards(self, lives: Lives) -> None:
        """And the trainer grades as the potential does."""
        (anchor,) = self.new_labels()
        assert np.isnan(lives.ungraded)
        assert lives.gamma_before > GAMMA_LIMIT
        assert lives.second.anchor_gamma <= 1.01
        other = self.make_labels(1, 0.22, 9)[0]
        found = lives.trainer.grade([anchor, other])
        assert len(found.features) == 2
        for place, (structure, gamma) in enumerate(zip((anchor, other), found.gamma_max, strict=True)):
            atoms = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
            atoms.calc = lives.second.generation.calculator()
            atoms.get_potential_energy()
            assert np.isclose(atoms.calc.results["gamma"].max(), gamma, rtol=1e-6)
            if found.gamma:  # not every trainer says
                assert np.allclose(found.gamma[place], atoms.calc.results["gamma"], rtol=1e-6)

    def test_ranks_the_anchor_first_and_leaves_out_what_is_excluded(self, lives: Lives) -> None:
        """Every other candidate is either chosen or in reserve."""
        candidates = self.make_labels(4, 0.25, 3)
        ranking = lives.trainer.rank(candidates, 2)
        assert ranking.selected[0] == 0
        assert sorted((*ranking.selected, *ranking.reserve)) == [0, 1, 2, 3]
        assert sorted((*(rest := lives.trainer.rank(candidates, 2, [0, 2])).selected, *rest.reserve)) == [1, 3]
        assert lives.trainer.minimum_structures(candidates[0]) >= 1

    def test_explains_what_is_unknown(self, lives: Lives) -> None:
        """The smallest distance known is that of the labels."""
        labels = [*self.make_labels(self.n_first, 0.12, 0), *self.new_labels()]
        smallest = min(
            distances[np.triu_indices(len(atoms), 1)].min()
            for atoms in labels
            for distances in [atoms.get_all_distances(mic=True)]
        )
        assert np.isclose(lives.trainer.explain(labels[0], [0]).trained_distance, smallest, atol=1e-9)

    def test_a_restored_trainer_goes_on_to_the_same_bits(self, lives: Lives, tmp_path: Path) -> None:
        """With what a reopened campaign has: the labels, and the generation's files."""
        trainer, labels = self.make_trainer(), self.new_labels()
        trainer.restore([self.make_labels(self.n_first, 0.12, 0)], lives.first.generation)
        assert float(trainer.grade(labels).gamma_max[0]) == lives.gamma_before
        again = self.train(trainer, tmp_path, labels, lives.first.generation, labels[0])
        for name in ("yaml", "yace", "lammps_input"):
            one, two = (getattr(training.generation, name).read_bytes() for training in (lives.second, again))
            assert one == two, name
        one, two = (np.load(training.generation.asi) for training in (lives.second, again))
        assert all(np.array_equal(one[element], two[element]) for element in one.files)
        assert repr(again) == repr(lives.second)

    def test_labels_that_spoil_the_fit_are_rejected_and_nothing_is_written(self, lives: Lives, tmp_path: Path) -> None:
        """Forces of other atoms, and large ones; the next choice is among what is left."""
        trainer, (label,) = self.make_trainer(), self.new_labels()
        trainer.restore([self.make_labels(self.n_first, 0.12, 0)], lives.first.generation)
        wrong = label.copy()
        results = dict(label.calc.results)
        results["forces"] = 30 * np.roll(results["forces"], 5, axis=0)
        wrong.calc = SinglePointCalculator(wrong, **results)
        training = self.train(trainer, tmp_path, [wrong], lives.first.generation, wrong)
        assert not training.accepted
        assert training.reason
        assert training.next is State.SELECT
        assert "rejected" in repr(training)
        assert not list(tmp_path.glob("potential_*"))
        assert trainer.rank(self.make_labels(2, 0.25, 3), 1).selected == (0,)
