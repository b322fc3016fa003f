"""More steps for an existing campaign: the same trajectory continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.analysis import evaluate_accuracy
from acemaker.campaign.attached import attach
from acemaker.campaign.view import CampaignView
from acemaker.errors import ConfigError, StateError
from acemaker.headless.check import differences_from
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.loop.test_walkers import CONFIG, ToyWalkers, toy

CALM = {"threshold_add_train": 1e6, "threshold_call_dft": 1e6, "threshold_break": 1e6, "n_candidates": 6, "n_probes": 0}


def config(steps: int, *, otf: dict[str, Any] = CALM, walkers: int = 1, **engine: Any) -> CampaignConfig:
    """Copper at constant conditions."""
    given = {"temperature": 900, "restart_every": 25, "trajectory_every": 25, "steps": steps, **engine}
    several = {} if walkers == 1 else {"walkers": walkers}
    return CampaignConfig(
        seed=3, system=CONFIG.system, otf=otf, engine=given, potential=CONFIG.potential, oracle=CONFIG.oracle, **several
    )


def assert_same_way(one: CampaignView, two: CampaignView) -> None:
    """Compare the trajectories of two campaigns to the last digit."""
    assert one.state is two.state is State.DONE
    assert one.progress.steps == two.progress.steps
    assert np.array_equal(one.timeline().step, two.timeline().step)
    same = one.timeline().step != 125  # there the check of the second set-up takes its sums in another order
    assert np.array_equal(one.timeline().gamma_max[same], two.timeline().gamma_max[same])
    for name, values in one.timeline().observables.items():
        assert np.array_equal(values[same], two.timeline().observables[name][same], equal_nan=True), name
        assert np.allclose(values, two.timeline().observables[name], rtol=1e-9, equal_nan=True), name
    frames, others = one.trajectory(), two.trajectory()
    assert [atoms.info["step"] for atoms in frames] == [atoms.info["step"] for atoms in others]
    assert np.array_equal(frames[-1].positions, others[-1].positions)


@pytest.mark.parametrize(
    "engine",
    [
        {"ensemble": "npt"},
        {"ensemble": "langevin"},
        {"ensemble": "npt", "pressure_coupling": "tri"},
        {"ensemble": "csvr", "engine": "isolated", "lammps": "python"},
    ],
    ids=["npt", "langevin", "tri", "isolated"],
)
@pytest.mark.parametrize("steps", [125, 135])
def test_the_same_trajectory_goes_on(tmp_path: Path, steps: int, engine: dict[str, Any]) -> None:
    with Campaign.create(tmp_path / "whole", config(250, **engine)) as whole:
        whole.run()
        with Campaign.create(tmp_path / "twice", config(steps, **engine)) as short:
            short.run()
        with Campaign.open(tmp_path / "twice", steps=250) as longer:
            assert longer.state is State.EXPLORE
            longer.run()
            assert [(one.start_step, one.end_step) for one in longer.segments()] == [(0, steps), (125, 250)]
            assert longer.segments()[-1].soft_start is None  # the potential is the same
            assert longer.progress.discarded_steps == steps - 125
            assert_same_way(whole, longer)
        assert_same_way(whole, attach(tmp_path / "twice"))


def test_it_heals_what_it_meets_then(tmp_path: Path) -> None:
    rule = {"threshold_add_train": 1.2, "threshold_call_dft": 1.5, "n_candidates": 6}
    with Campaign.create(tmp_path / "c", config(50, otf=rule)) as short:
        halts = short.run().progress.halt
    with Campaign.create(tmp_path / "c", config(300, otf=rule), exist_ok=True) as longer:
        longer.run()
        assert longer.progress.steps == (300,)
        assert longer.progress.halt > halts
        assert longer.segments()[-1].soft_start is not None
        assert longer.convergence().quiet == (300 - longer.progress.current.last_halt_step,)


def test_create_with_more_steps_goes_on_and_the_truth_with_it(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", config(50)) as short:
        assert evaluate_accuracy(short.run()).steps[-1] == 50
        with pytest.raises(StateError, match=r"continue it with more steps: Campaign.open\('.*c', steps=...\)"):
            short.step()
    with Campaign.create(tmp_path / "c", config(75), exist_ok=True) as longer:
        assert evaluate_accuracy(longer.run()).steps[-1] == 75
    with Campaign.create(tmp_path / "c", config(75), exist_ok=True) as again:
        assert again.state is State.DONE


def test_fewer_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    Campaign.create(tmp_path / "c", config(50)).run().close()
    before = (tmp_path / "c" / "journal.jsonl").read_bytes()
    for refused in (
        lambda: Campaign.create(tmp_path / "c", config(25), exist_ok=True),
        lambda: Campaign.open(tmp_path / "c", steps=25),
        lambda: differences_from(tmp_path / "c", config(25)),
    ):
        with pytest.raises(
            ConfigError,
            match=r"at least 50, the steps of .*c, got 25; request as many or more",
        ):
            refused()
    assert (tmp_path / "c" / "journal.jsonl").read_bytes() == before
    assert differences_from(tmp_path / "c", config(100)) == []


@pytest.mark.parametrize(
    ("ramp", "words"), [({"temperature": (300, 900)}, "from 300 to 900 K"), ({"pressure": (0, 2)}, "from 0 to 2 GPa")]
)
def test_a_ramp_cannot_be_made_longer_once_it_has_begun(tmp_path: Path, ramp: dict[str, Any], words: str) -> None:
    Campaign.create(tmp_path / "c", config(50, **ramp)).close()
    with Campaign.open(tmp_path / "c", steps=75) as untouched:  # nothing has been explored
        untouched.prepare()
    with pytest.raises(ConfigError, match=f"has a ramp {words} over its 75 steps; with 100 steps, the ramp would have"):
        Campaign.open(tmp_path / "c", steps=100)
    with Campaign.open(tmp_path / "c") as campaign:
        assert campaign.run().progress.steps == (75,)


def test_one_that_runs_still_is_given_more(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(200), oracle=ToyOracle()) as campaign:
        campaign.run(5)
        assert campaign.state not in (State.DONE, State.EXPLORE)
    with Campaign.open(tmp_path / "c", engine=ToyEngine(400), oracle=ToyOracle(), steps=400) as campaign:
        assert campaign.run().progress.steps == (400,)


def test_all_walkers_go_on(tmp_path: Path) -> None:
    Campaign.create(tmp_path / "c", config(50, walkers=2)).run().close()
    with Campaign.open(tmp_path / "c", steps=100) as campaign:
        assert campaign.progress.exploring == (1, 2)
        campaign.run()
        assert campaign.progress.steps == (100, 100)
        assert [one.start_step for one in campaign.segments()] == [0, 0, 50, 50]


def test_a_walker_that_has_ended_joins_the_next_round(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(), halting_at(100))
    while campaign.state is not State.SELECT or not campaign.progress.halt:
        campaign.step()
    assert [one.ended for one in campaign.progress.walkers] == [True, False]
    campaign.close()
    engine = ToyWalkers(halting_at(), halting_at(100))
    for one in engine.engines:
        one.steps = 400
    with Campaign.open(tmp_path / "c", engine=engine, oracle=ToyOracle(), steps=400) as campaign:
        assert [one.ended for one in campaign.progress.walkers] == [False, False]
        campaign.run()
        assert campaign.progress.steps == (400, 400)
        assert [(walker, start) for walker, _, start in engine.asked] == [(1, 200), (2, 50)]  # the last safe state


def test_a_walker_that_has_ended_joins_a_round_that_is_under_way(tmp_path: Path) -> None:
    campaign, _ = toy(tmp_path / "c", halting_at(), halting_at())
    while not campaign.progress.walkers[0].ended:
        campaign.step()
    assert campaign.state is State.EXPLORE
    campaign.close()
    engine = ToyWalkers(halting_at(), halting_at())
    for one in engine.engines:
        one.steps = 400
    with Campaign.open(tmp_path / "c", engine=engine, oracle=ToyOracle(), steps=400) as campaign:
        campaign.run()
        assert campaign.progress.steps == (400, 400)
        assert [(walker, start) for walker, _, start in engine.asked] == [(2, 0), (1, 200)]
