"""Convergence of a campaign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign, ConvergenceConfig, attach
from acemaker.analysis import write_summary
from acemaker.analysis.convergence import Convergence, convergence
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

RULE = ConvergenceConfig(quiet_steps=100, plateau_generations=3, plateau_tolerance=0.2)


def convergence_with(*errors: float | None, step: int = 500, halts: tuple[int, ...] = (50, 300)) -> Convergence:
    return convergence([step], halts[-1:] or [0], errors, RULE)


def test_quiet_and_on_a_plateau() -> None:
    found = convergence_with(80.0, 11.0, 10.0, 11.9)
    assert found.converged
    assert found.steps == 200
    assert found.spread == pytest.approx(0.19)
    assert found.headline() == (
        "Converged: none in the last 200 steps, 100 required; 11, 10, 11.9 meV/Å in the last 3 generations, on a "
        "plateau: 19% apart, 20% allowed"
    )


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (convergence_with(10.0, 10.0, 10.0, step=399), "none in the last 99 steps, 100 required"),
        (convergence_with(10.0, 10.0, 12.1), "not on a plateau: 21% apart"),
        (convergence_with(13.3, 10.5, 9.2), "not on a plateau: 45% apart"),
        (convergence_with(10.0, 10.0), "2 generations so far, 3 are needed"),
        (convergence_with(10.0, step=1000, halts=()), "1 generation so far"),
        (convergence_with(step=0, halts=()), "0 generations so far"),
    ],
)
def test_what_is_missing_is_said(found: Convergence, why: str) -> None:
    assert not found.converged
    assert found.headline().startswith("Not converged: ")
    assert why in found.headline()
    assert why in repr(found)
    assert why in found._repr_html_()


def test_a_trainer_without_held_out_errors_converges_by_its_halts() -> None:
    assert convergence_with(None, None).converged
    assert convergence_with(None, None).on_plateau is None
    assert not convergence_with(None, None, step=350).converged
    assert "the trainer reports none" in convergence_with(None).headline()


def test_a_potential_whose_error_is_a_large_part_of_the_forces_has_not_converged() -> None:
    """Neither halts nor more labels show that a basis is too small."""
    errors = (230.0, 230.0, 230.0)
    accurate, wrong = (convergence([500], [300], errors, RULE, typical_force=force) for force in (1000.0, 700.0))
    assert accurate.converged
    assert "23% of the forces" in repr(accurate)
    assert "of the forces" not in accurate.headline()
    assert wrong.is_quiet
    assert wrong.on_plateau
    assert not wrong.converged
    assert "33% of the forces, 25% allowed: the potential does not describe this system; increase" in wrong.headline()
    assert "33% of the forces" in wrong._repr_html_()
    assert convergence([500], [300], (None, None), RULE, typical_force=700.0).is_accurate is None


def test_the_error_is_compared_with_the_forces_of_the_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = toy_config()
    strict = config.model_copy(update={"convergence": ConvergenceConfig(max_error_share=1e-6)})
    with Campaign.create(
        tmp_path / "c", strict, engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle()
    ) as campaign:
        campaign.run()
        components = [atoms.get_forces().ravel() for atoms in campaign.labeled_structures()]
        typical = 1e3 * float(np.sqrt(np.mean(np.square(np.concatenate(components)))))
        assert campaign.convergence().typical_force == pytest.approx(typical)
        assert not campaign.convergence().is_accurate
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any("of the forces" in message for message in warnings)
    assert attach(tmp_path / "c").convergence().typical_force == pytest.approx(typical)


def test_a_run_that_went_back_behind_its_last_halt_has_no_quiet_steps() -> None:
    assert convergence_with(10.0, step=290).steps == 0


def test_a_campaign_says_it_and_the_rule_may_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine, oracle = ToyEngine(400, halting_at(100, 150)), ToyOracle()
    rule = ConvergenceConfig(quiet_steps=200, plateau_tolerance=1e6, plateau_generations=2)
    base = toy_config()
    config = base.model_copy(update={"engine": base.engine.model_copy(update={"steps": 400}), "convergence": rule})
    with Campaign.create(tmp_path / "c", config, engine=engine, oracle=oracle) as campaign:
        assert "converged" not in repr(campaign)
        campaign.run(progress=True)
        found = campaign.convergence()
        assert found.steps == 400 - campaign.progress.halts[-1]["step"] >= 200
        assert len(found.errors) == campaign.progress.generation == 3
        assert list(found.errors) == [one.generation.cv_forces for one in campaign.generations()]
        assert found.converged
        assert capsys.readouterr().out.splitlines()[-1] == found.headline()
        assert "converged      yes" in repr(campaign)
        assert attach(tmp_path / "c").convergence() == found
        assert found.headline().split(": ", 1)[1].split(";")[0] in campaign.report().read_text()
        write_summary(campaign)
    kept = json.loads((tmp_path / "c" / "summary.json").read_text())
    assert kept["converged"] is True
    assert kept["steps_without_halt"] == found.steps
    with Campaign.open(tmp_path / "c", engine=engine, oracle=oracle, quiet_steps=300) as campaign:
        assert not campaign.convergence().converged
        assert "not yet" in repr(campaign)


def test_criteria_may_be_changed_later(tmp_path: Path) -> None:
    objects: dict[str, Any] = {"engine": ToyEngine(200, halting_at(100)), "oracle": ToyOracle()}
    with Campaign.create(tmp_path / "c", toy_config(), **objects) as campaign:
        campaign.run()
    with Campaign.open(tmp_path / "c", max_error_share=1e-6, **objects) as campaign:
        assert campaign.convergence().is_accurate is False
