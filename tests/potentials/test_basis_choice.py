"""The choice of a basis by held-out errors on labels that exist."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.errors import ConfigError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.basis_choice import BasisCandidate, BasisChoice, candidates_of, choose_basis
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.training import Training
from tests.conftest import rattled

SW = OracleConfig(oracle="lammps", pair_style="sw", pair_coeff=("* * Si.sw Si",))
"""An oracle whose interactions end at 3.77 Å."""

CONFIG = PotentialConfig(
    basis="auto",
    n_functions=30,
    cutoff=5.5,
    nradmax_by_orders=(8, 5, 3),
    lmax_by_orders=(0, 3, 2),
    reference_energies={"Si": 0.0},
)


@pytest.fixture(scope="module")
def labels() -> list[Atoms]:
    oracle = CalculatorOracle.from_config(SW, ("Si",))
    return [oracle.label(atoms) for atoms in rattled(bulk("Si", cubic=True).repeat(2), 6, seed=2)]


def train(
    trainer: LinearTrainer, labels: list[Atoms], directory: Path, predecessor: Generation | None = None
) -> Training:
    directory.mkdir(exist_ok=True)
    number = 1 if predecessor is None else predecessor.number + 1
    return trainer.train(
        labels, number=number, directory=directory, predecessor=predecessor, halted=None, gamma_limit=2.0
    )


def candidate(cutoff: float, n_functions: int, error: float, is_spanned: bool = True) -> BasisCandidate:
    return BasisCandidate(
        cutoff=cutoff, n_functions=n_functions, lmax_by_orders=(0, 2), error=error, penalty=1e-10, is_spanned=is_spanned
    )


@pytest.mark.parametrize(("n", "left_out"), [(2, "blocks of atoms"), (5, "structures")])
def test_the_range_of_the_oracle_is_recognized_from_few_labels(labels: list[Atoms], n: int, left_out: str) -> None:
    choice = choose_basis(CONFIG, labels[:n], ["Si"], reference={"Si": 0.0})
    assert choice.left_out == left_out
    assert choice.best.cutoff < 4.5
    assert choice.best.error < 0.7 * choice.configured.error
    assert "configured basis" in choice.reason
    assert len(choice.candidates) > 6
    text = repr(choice)
    assert text.count("chosen") == 2
    assert f"{choice.configured.cutoff:g}" in text


def test_an_error_that_is_predicted_by_blocks_is_that_of_structures_that_were_not_labeled(labels: list[Atoms]) -> None:
    choice = choose_basis(CONFIG, labels[:2], ["Si"])
    unseen = choose_basis(CONFIG, labels, ["Si"])
    for one, other in zip(choice.candidates, unseen.candidates, strict=True):
        assert one.error == pytest.approx(other.error, rel=0.6)


def test_cutoffs_are_never_longer_than_configured_nor_shorter_than_the_bonds(labels: list[Atoms]) -> None:
    made = candidates_of(CONFIG, labels)
    assert made[0] == CONFIG
    assert {one.cutoff for one in made} == {5.5, 4.95, 4.4, 3.85}
    assert {one.n_functions for one in made} == {30, 60}
    close = [atoms.copy() for atoms in labels]
    for atoms in close:
        atoms.set_cell(1.7 * atoms.cell.array, scale_atoms=True)
    assert min(one.cutoff for one in candidates_of(CONFIG, close)) > 1.3 * 3.3


def test_a_basis_is_changed_only_if_that_is_worth_it() -> None:
    configured = candidate(5.0, 50, 100.0)

    def best(*others: BasisCandidate) -> BasisCandidate:
        return BasisChoice(candidates=(configured, *others), n_structures=3, left_out="blocks of atoms").best

    assert best(candidate(4.0, 50, 91.0)) is configured, "by chance"
    assert best(candidate(4.0, 50, 89.0)).cutoff == 4.0
    assert best(candidate(5.0, 100, 71.0)) is configured, "twice the time"
    assert best(candidate(5.0, 100, 69.0)).n_functions == 100
    assert best(candidate(4.0, 50, 60.0), candidate(4.0, 100, 45.0)).n_functions == 50
    assert best(candidate(4.0, 50, 60.0), candidate(4.0, 100, 40.0)).n_functions == 100
    assert best(candidate(4.0, 50, 10.0, is_spanned=False)) is configured
    assert best(candidate(4.0, 50, float("nan"))) is configured


def test_accuracy_counts_more_than_speed_if_the_potential_is_poor() -> None:
    """Twice as many functions are then worth an error that is smaller by 10 %."""
    configured = candidate(5.0, 50, 100.0)
    for error, expected in ((89.0, 100), (91.0, 50)):
        candidates = (configured, candidate(5.0, 100, error))
        choice = BasisChoice(candidates=candidates, n_structures=3, left_out="structures", is_poor=True)
        assert choice.best.n_functions == expected
        assert BasisChoice.read(asdict(choice)) == choice
    assert "by 10 %" in choice.reason
    assert "30 %" not in choice.reason


def test_a_trainer_uses_the_basis_for_all_generations_and_after_it_was_opened_again(
    labels: list[Atoms], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = LinearTrainer(CONFIG, ["Si"], tmp_path)
    with caplog.at_level(logging.INFO):
        first = train(trainer, labels[:3], tmp_path)
    choice = first.generation.basis_choice
    assert choice is not None
    assert first.generation.cutoff == choice.best.cutoff < 4.5
    assert "Basis: cutoff=" in caplog.text
    assert ("basis", f"{choice.best}: {choice.reason}") in first.summary().items
    assert read_generation(tmp_path, 1).basis_choice == choice

    second = train(trainer, labels[3:4], tmp_path, first.generation)
    assert second.generation.basis_choice == choice
    opened = LinearTrainer(CONFIG, ["Si"], tmp_path)
    opened.restore([labels[:3]], read_generation(tmp_path, 1))
    (tmp_path / "again").mkdir()
    again = train(opened, labels[3:4], tmp_path / "again", read_generation(tmp_path, 1))
    assert np.array_equal(again.generation.coefficients(), second.generation.coefficients()), "to the last bit"
    assert again.generation.cutoff == choice.best.cutoff


def test_the_error_on_other_structures_becomes_smaller(labels: list[Atoms], tmp_path: Path) -> None:
    errors = {}
    for basis in ("fixed", "auto"):
        trainer = LinearTrainer(CONFIG.model_copy(update={"basis": basis}), ["Si"])
        evaluator = evaluator_of(train(trainer, labels[:2], tmp_path / basis).generation)
        differences = [evaluator.structure(atoms).forces - atoms.get_forces() for atoms in labels[2:]]
        errors[basis] = np.sqrt(np.mean(np.square(differences)))
    assert errors["auto"] < 0.6 * errors["fixed"]


def test_labels_of_a_rejected_first_fit_are_used_again(labels: list[Atoms], tmp_path: Path) -> None:
    trainer = LinearTrainer(CONFIG, ["Si"])
    tmp_path.mkdir(exist_ok=True)
    rejected = trainer.train(
        labels[:2], number=1, directory=tmp_path, predecessor=None, halted=labels[5], gamma_limit=1.0
    )
    assert not rejected.accepted
    accepted = train(trainer, labels[2:4], tmp_path)
    assert accepted.n_structures == 4
    choice = accepted.generation.basis_choice
    assert choice is not None
    assert choice.n_structures == 4
    opened = LinearTrainer(CONFIG, ["Si"])
    opened.restore([labels[:2]])
    again = train(opened, labels[2:4], tmp_path / "again")
    assert again.generation.basis_choice == choice
    assert np.array_equal(again.generation.coefficients(), accepted.generation.coefficients())


def test_a_fixed_basis_is_not_touched(labels: list[Atoms], tmp_path: Path) -> None:
    trainer = LinearTrainer(CONFIG.model_copy(update={"basis": "fixed"}), ["Si"])
    generation = train(trainer, labels[:2], tmp_path).generation
    assert generation.cutoff == 5.5
    assert generation.basis_choice is None


def test_too_few_atoms_leave_the_configured_basis() -> None:
    atom = bulk("Si", cubic=True)[:1]
    atom.set_cell(np.eye(3) * 2.6)
    atom.pbc = True
    label = CalculatorOracle.from_config(SW, ("Si",)).label(atom)
    choice = choose_basis(CONFIG, [label], ["Si"], reference={"Si": 0.0})
    assert choice.best is choice.configured
    assert "too few" in choice.reason
    assert replace(choice, n_structures=2) != choice


def test_other_trainers_cannot_choose() -> None:
    with pytest.raises(ConfigError, match=r"basis='auto' requires trainer='linear', got trainer='pacemaker'"):
        PotentialConfig(basis="auto", trainer="pacemaker")
