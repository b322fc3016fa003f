"""Labels of a cheap calculator as the prior of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.oracles.oracle import CalculatorOracle, with_results
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.ridge_prior import Prior
from acemaker.potentials.trainer import Pretrained
from acemaker.results import Training
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis

EMT = OracleConfig(oracle="emt")


def labeled(oracle: OracleConfig, structures: list[Atoms]) -> list[Atoms]:
    elements = tuple(sorted(set(structures[0].get_chemical_symbols())))
    labeler = CalculatorOracle.from_config(oracle, elements)
    return [labeler.label(atoms) for atoms in structures]


def trained(directory: Path, cheap: list[Atoms], labels: list[Atoms], **changes: Any) -> tuple[LinearTrainer, Training]:
    elements = sorted(set(labels[0].get_chemical_symbols()))
    trainer = LinearTrainer(PotentialConfig(**{**small_basis(40, 5.0).model_dump(), **changes}), elements)
    assert isinstance(trainer, Pretrained)
    if cheap:
        trainer.pretrain(cheap)
    directory.mkdir()
    training = trainer.train(labels, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0)
    return trainer, training


def force_error(training: Training, reference: list[Atoms]) -> float:
    evaluator = evaluator_of(training.generation)
    errors = [evaluator.structure(atoms).forces - atoms.get_forces() for atoms in reference]
    return 1e3 * float(np.sqrt(np.mean(np.square(errors))))


def small(n: int, seed: int) -> list[Atoms]:
    """Cells of too few atoms for as many functions."""
    return rattled(copper(1).repeat((3, 2, 2)), n, seed=seed)


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_few_labels_are_worth_more(tmp_path: Path, seed: int) -> None:
    """EMT copper is another potential than Mishin's, 45 meV/Å off, but it knows what copper is like."""
    unseen, labels = labeled(MISHIN, small(4, 7)), labeled(MISHIN, small(1, seed))
    cheap = labeled(EMT, small(20, 3))
    direct = force_error(trained(tmp_path / "direct", [], labels)[1], unseen)
    pretrained = force_error(trained(tmp_path / "pretrained", cheap, labels)[1], unseen)
    assert pretrained < 0.95 * direct


@pytest.mark.slow
def test_many_labels_outweigh_it(tmp_path: Path) -> None:
    """Even with an error of 360 meV/Å."""
    unseen, labels = labeled(MISHIN, small(4, 7)), labeled(MISHIN, small(16, 1))
    wrong = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * Cu_zhou.eam.alloy Cu",))
    direct = force_error(trained(tmp_path / "direct", [], labels)[1], unseen)
    for name, cheap in {"emt": EMT, "zhou": wrong}.items():
        pretrained = force_error(trained(tmp_path / name, labeled(cheap, small(20, 3)), labels)[1], unseen)
        assert pretrained == pytest.approx(direct, rel=0.1)


def test_what_is_wrong_weighs_little() -> None:
    prior = Prior(rows=np.zeros((1, 2)), coefficients=np.zeros(1), square=0.01**2)
    assert prior.worth(0.01**2) == 1.0
    assert prior.worth(0.005**2) == 1.0, "never more than a label"
    assert prior.worth(0.1**2) == pytest.approx(0.01)
    assert Prior(rows=np.zeros((1, 2)), coefficients=np.zeros(1), square=0.0).worth(0.1) == 0.0


def test_the_calculator_has_a_zero_of_its_own(tmp_path: Path) -> None:
    structures = rattled(alloy(), 6)
    labels, cheap = labeled(CUNI, structures), labeled(EMT, rattled(alloy(), 8, seed=4))
    shifted = []
    for atoms in cheap:
        shift = 7.0 * atoms.symbols.count("Cu") - 3.0 * atoms.symbols.count("Ni")
        results = {"energy": atoms.get_potential_energy() + shift, "forces": atoms.get_forces()}
        shifted.append(with_results(atoms, results | {"stress": atoms.get_stress()}))
    coefficients = [
        trained(tmp_path / name, given, labels)[1].generation.coefficients()
        for name, given in {"not at all": [], "as it is": cheap, "shifted": shifted}.items()
    ]
    assert coefficients[2] == pytest.approx(coefficients[1], rel=1e-6, abs=1e-9)
    assert not np.allclose(coefficients[1], coefficients[0], rtol=1e-3), "it teaches nothing here"


def test_the_oracle_alone_decides_on_gamma_and_errors(tmp_path: Path) -> None:
    labels, cheap = labeled(MISHIN, rattled(copper(), 4)), labeled(EMT, rattled(copper(), 9, scale=0.2, seed=5))
    direct, pretrained = (trained(tmp_path / name, given, labels) for name, given in (("a", []), ("b", cheap)))
    assert pretrained[1].n_structures == 4
    inverses = [trainer.active_set.inverses for trainer, _ in (direct, pretrained) if trainer.active_set is not None]
    assert np.array_equal(inverses[0][0], inverses[1][0])
    assert pretrained[1].forces.shape == direct[1].forces.shape
    assert len(pretrained[0].grade(cheap).gamma_max) == 9
    assert pretrained[0].grade(cheap).gamma_max == pytest.approx(direct[0].grade(cheap).gamma_max)


def test_over_a_baseline_the_difference_is_learned_before(tmp_path: Path) -> None:
    """Cheap labels that are the baseline's own leave nothing to learn."""
    config = small_basis(40, 5.0).model_dump() | {"baseline_calculator": "ase.calculators.emt:EMT"}
    prior = LinearTrainer(PotentialConfig(**config), ["Cu"]).pretrain(labeled(EMT, small(20, 3)))
    assert np.abs(prior.coefficients).max() < 1e-9
    plain = LinearTrainer(small_basis(40, 5.0), ["Cu"]).pretrain(labeled(EMT, small(20, 3)))
    assert np.abs(plain.coefficients).max() > 1e-3
