"""A basis that is chosen again, on all labels, when a probe shows that the potential is not good enough."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig, PotentialConfig
from acemaker.config import ConvergenceConfig
from acemaker.errors import ConfigError
from acemaker.potentials import guard, linear_trainer
from acemaker.results import Training
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

STRICT, LAX = 5e-4, 0.5
"""Targets that the toy potential misses and meets."""


def settings(target: float, basis: str = "adaptive", **otf: object) -> CampaignConfig:
    config = toy_config(**{"n_probes": 2, "n_select": 1, **otf})
    potential = config.potential.model_copy(update={"basis": basis})
    convergence = ConvergenceConfig(target_force_error=target)
    return config.model_copy(update={"potential": potential, "convergence": convergence})


def toy(
    directory: Path, target: float, basis: str = "adaptive", halts: tuple[int, ...] = (60,), **otf: object
) -> Campaign:
    engine = ToyEngine(200, halting_at(*halts))
    return Campaign.create(directory, settings(target, basis, **otf), engine=engine, oracle=ToyOracle())


def test_a_poor_probe_leads_to_another_basis(tmp_path: Path) -> None:
    """The labels that exist are used again: none is computed for the comparison."""
    with toy(tmp_path / "c", STRICT) as campaign:
        trainings = [result for result in campaign.steps() if isinstance(result, Training)]
        choices = [training.generation.basis_choice for training in trainings]
        assert choices[:2] == [None, None]  # before the first probe
        assert choices[2] is not None
        assert choices[2].n_structures == trainings[2].n_structures
        assert choices[2].best != choices[2].configured
        assert trainings[2].generation.coefficients().shape != trainings[1].generation.coefficients().shape
        assert campaign.progress.n_labels == trainings[-1].n_structures == 2 + len(campaign.progress.halts)
        assert "basis" in repr(trainings[2].generation)


@pytest.mark.parametrize(("target", "basis"), [(LAX, "adaptive"), (STRICT, "fixed")])
def test_a_good_probe_or_a_fixed_basis_changes_nothing(tmp_path: Path, target: float, basis: str) -> None:
    with toy(tmp_path / "c", target, basis) as campaign:
        trainings = [result for result in campaign.steps() if isinstance(result, Training)]
        assert {training.generation.basis_choice for training in trainings} == {None}
        assert len({training.generation.coefficients().shape for training in trainings}) == 1


def test_auto_chooses_for_the_first_generation_and_again(tmp_path: Path) -> None:
    with toy(tmp_path / "c", STRICT, "auto") as campaign:
        choices = [result.generation.basis_choice for result in campaign.steps() if isinstance(result, Training)]
        numbers = [choice.n_structures for choice in choices if choice is not None]
        assert len(numbers) == len(choices)
        assert numbers[0] == numbers[1] == 2
        assert numbers[-1] > 2


def test_a_campaign_that_ends_anywhere_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    """Also if it ends between the probe and the fit in the other basis, or after it."""
    whole = toy(tmp_path / "whole", STRICT)
    copies = []
    for number, _ in enumerate(whole.steps()):
        copies.append(tmp_path / f"after_{number}")
        shutil.copytree(whole.directory, copies[-1])
    generation, labels = whole.generation, [entry.key for entry in whole.progress.labels]
    whole.close()
    assert generation is not None
    for directory in copies[5::5]:
        with Campaign.open(directory, engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()) as campaign:
            campaign.run()
            assert [entry.key for entry in campaign.progress.labels] == labels, directory
            assert campaign.generation is not None
            assert campaign.generation.basis_choice == generation.basis_choice
            assert np.array_equal(campaign.generation.coefficients(), generation.coefficients())
            assert campaign.generation.asi.read_bytes() == generation.asi.read_bytes()


def test_a_rejected_fit_in_another_basis_leaves_the_basis_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fits after it are those of a campaign that was opened again at this point."""
    campaign = toy(tmp_path / "c", STRICT, halts=(60, 85), n_probes=3)
    original, rejected = guard.reason_to_reject, list[int]()

    def reject(*arguments: Any) -> str:
        if campaign.progress.is_probe and not rejected:
            rejected.append(1)
            return "it is rejected in this test"
        return original(*arguments)

    monkeypatch.setattr(linear_trainer, "reason_to_reject", reject)
    trainings = []
    for result in campaign.steps():
        if isinstance(result, Training):
            trainings.append(result)
            if not result.accepted:
                shutil.copytree(campaign.directory, tmp_path / "copy")
    assert [training.accepted for training in trainings[:4]] == [True, True, False, True]
    assert trainings[3].generation.basis_choice is None  # of a halt by gamma, in the basis in use
    assert campaign.generation is not None
    assert campaign.generation.basis_choice is not None  # of the second probe
    with Campaign.open(tmp_path / "copy", engine=ToyEngine(200, halting_at(60, 85)), oracle=ToyOracle()) as copy:
        copy.run()
        assert copy.generation is not None
        assert copy.generation.basis_choice == campaign.generation.basis_choice
        assert np.array_equal(copy.generation.coefficients(), campaign.generation.coefficients())
    campaign.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "adaptive"),
        ({"energy_weight": 1.0}, "adaptive"),
        ({"cutoff": 5.0}, "fixed"),
        ({"n_functions": 50}, "fixed"),
        ({"lmax_by_orders": (0, 2, 1, 1)}, "fixed"),
        ({"trainer": "pacemaker"}, "fixed"),
        ({"trainer": "linear"}, "adaptive"),
        ({"cutoff": 5.0, "basis": "adaptive"}, "adaptive"),
        ({"cutoff": 5.0, "basis": "auto"}, "auto"),
        ({"basis": "fixed"}, "fixed"),
    ],
)
def test_the_users_own_numbers_win(fields: dict[str, object], expected: str) -> None:
    config = PotentialConfig(**fields)
    assert config.basis == expected
    assert PotentialConfig(**config.model_dump()) == config


def test_only_the_linear_trainer_chooses() -> None:
    with pytest.raises(ConfigError, match="basis='adaptive' requires trainer='linear'"):
        PotentialConfig(trainer="pacemaker", basis="adaptive")
