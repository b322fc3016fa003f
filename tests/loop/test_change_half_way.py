"""Settings that change half way: from the last checkpoint on, the run is one with the new values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Callback, Campaign, CampaignConfig
from acemaker.config.campaign import CHANGEABLE, HALFWAY
from acemaker.engines.protocol import Check
from acemaker.errors import CampaignExistsError, ConfigError, StateError
from acemaker.headless.check import differences_from
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.loop.test_more_steps import CALM, assert_same_way, config


def interrupted_at(campaign: Campaign, step: int) -> None:
    """Run a campaign until Ctrl-C at a check, and close it."""

    def press(check: Check) -> None:
        if check.step == step:
            raise KeyboardInterrupt

    campaign.callbacks.append(Callback(on_check=press))
    with pytest.raises(KeyboardInterrupt):
        campaign.run()
    campaign.close()


def toy(folder: Path, gamma: Any, **changes: Any) -> Campaign:
    """Create a toy campaign with a gamma of its own, or open it with changes."""
    engine = ToyEngine(200, gamma)
    if changes:
        return Campaign.open(folder, engine=engine, oracle=ToyOracle(), **changes)
    return Campaign.create(folder, toy_config(), engine=engine, oracle=ToyOracle())


@pytest.mark.parametrize(
    ("engine", "change"),
    [
        ({"ensemble": "npt"}, {"threshold_call_dft": 9e5, "threshold_add_train": 8e5}),
        ({"ensemble": "langevin"}, {"smooth_steps": 2}),
        ({"ensemble": "csvr", "engine": "isolated", "lammps": "python"}, {"threshold_break": 2e6}),
    ],
    ids=["npt", "langevin", "isolated"],
)
def test_an_interrupted_segment_ends_at_its_last_checkpoint_and_the_same_trajectory_goes_on(
    tmp_path: Path, engine: dict[str, Any], change: dict[str, Any]
) -> None:
    with Campaign.create(tmp_path / "whole", config(250, **engine)) as whole:
        whole.run()
    interrupted_at(Campaign.create(tmp_path / "c", config(250, **engine)), 140)
    with Campaign.open(tmp_path / "c", **change) as campaign:
        assert campaign.events()[-1]["cuts"][0]["end_step"] == 125
        campaign.run()
        assert [(one.start_step, one.end_step) for one in campaign.segments()] == [(0, 125), (125, 250)]
        assert campaign.segments()[-1].soft_start is None  # the potential is the same
        assert_same_way(whole, campaign)
        for name, value in change.items():
            assert getattr(campaign.config.otf, name) == value


def test_what_a_run_does_not_depend_on_cuts_no_segment(tmp_path: Path) -> None:
    interrupted_at(Campaign.create(tmp_path / "c", config(100)), 60)
    with Campaign.open(tmp_path / "c", n_select=2, strategies={"strain": 1.0}, max_labels=30) as campaign:
        assert "cuts" not in campaign.events()[-1]
        assert campaign.events()[-1]["changes"]["n_select"] == [1, 2]
        assert [one.start_step for one in campaign.run().segments()] == [0]


def test_a_new_threshold_does_not_judge_the_checks_before_it(tmp_path: Path) -> None:
    def gamma(step: int, generation: int) -> float:
        return 3.0 if generation == 1 and step >= 60 else 0.8

    interrupted_at(toy(tmp_path / "c", gamma), 120)
    with toy(tmp_path / "c", gamma, threshold_call_dft=2.5) as campaign:
        assert campaign.progress.step == 100
        campaign.run()
        halt = campaign.progress.halts[0]
        assert (halt["first_step"], halt["step"], halt["safe_step"]) == (100, 110, 100)


def test_a_higher_threshold_lets_a_run_go_on_that_was_about_to_halt(tmp_path: Path) -> None:
    def gamma(step: int, _: int) -> float:
        return 7.0 if step >= 95 else 0.8

    interrupted_at(toy(tmp_path / "c", gamma), 100)
    with toy(tmp_path / "c", gamma, threshold_call_dft=10.0) as campaign:
        assert campaign.progress.step == 100
        assert campaign.run().progress.halt is None
    interrupted_at(toy(tmp_path / "d", gamma), 100)
    with toy(tmp_path / "d", gamma, smooth_steps=2) as campaign:
        assert campaign.progress.step == 50  # gamma was high at 100, also by the new rule
        assert campaign.run(1).progress.halts[0]["step"] == 100


def test_between_two_segments_there_is_nothing_to_cut(tmp_path: Path) -> None:
    gamma = halting_at(100)
    campaign = toy(tmp_path / "c", gamma)
    while campaign.state is not State.RESUME:
        campaign.step()
    campaign.close()
    with toy(tmp_path / "c", gamma, check_every=10, smooth_steps=2, trajectory_every=50) as changed:
        assert "cuts" not in changed.events()[-1]
        changed.run()
        assert set(np.diff(changed.segments()[-1].timeline.step)) == {10}
        assert changed.state is State.DONE


def test_each_change_is_recorded_and_shown(tmp_path: Path) -> None:
    gamma = halting_at(100)
    interrupted_at(toy(tmp_path / "c", gamma), 70)
    with toy(tmp_path / "c", gamma, threshold_call_dft=6.0, n_select=1) as campaign:
        (change,) = campaign.progress.revisions.changes
        assert change["changes"] == {"threshold_call_dft": [5.0, 6.0], "n_select": [2, 1]}
        assert change["steps"] == (50,)
        text = str(campaign.changes())
        assert "threshold_call_dft: 5.0 → 6.0" in text
        assert "step" in text
        assert "1 change" in str(campaign)
        lines = [line for axes in campaign.figure().axes for line in axes.lines if line.get_gid() == "change"]  # type: ignore[attr-defined]
        assert len(lines) >= 1


def test_create_accepts_the_values_in_force_alone(tmp_path: Path) -> None:
    gamma = halting_at(100)
    toy(tmp_path / "c", gamma).close()
    toy(tmp_path / "c", gamma, n_select=1, threshold_call_dft=6.0).close()
    parts: dict[str, Any] = {"engine": ToyEngine(200, gamma), "oracle": ToyOracle(), "exist_ok": True}
    with pytest.raises(
        CampaignExistsError, match=r"n_select: 1 -> 2\n(.*\n)*.*Campaign.open\(directory, .*n_select=..."
    ):
        Campaign.create(tmp_path / "c", toy_config(), **parts)
    assert differences_from(tmp_path / "c", toy_config()) != []
    same = toy_config(n_select=1, threshold_call_dft=6.0)
    assert differences_from(tmp_path / "c", same) == []
    with Campaign.create(tmp_path / "c", same, **parts) as campaign:
        assert campaign.run().config.otf.n_select == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"check_every": 7}, "must be a multiple of otf.check_every"),
        ({"threshold_call_dft": 1.0}, "threshold_add_train <= threshold_call_dft"),
        ({"threshold_break": math.nan}, "threshold_break"),
        ({"threshold_call_dft": math.inf}, "threshold_"),
        ({"smooth_steps": 0}, "smooth_steps"),
        ({"n_select": 7}, "n_select must not exceed n_candidates"),
        ({"strategies": {"no_such": 1.0}}, "no_such"),
        ({"trajectory_every": 13}, "must be a multiple"),
        ({"seed": 2}, "only, not seed"),
        ({"cutoff": 3.0}, "only, not cutoff"),
    ],
    ids=str,
)
def test_impossible_values_are_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    interrupted_at(toy(tmp_path / "c", halting_at(100)), 70)
    before = {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=words):
        toy(tmp_path / "c", halting_at(100), **change)
    assert {path: path.read_bytes() for path in (tmp_path / "c").rglob("*") if path.is_file()} == before


def emt(**oracle: Any) -> CampaignConfig:
    """Copper that EMT labels."""
    base = config(50, otf=CALM)
    return CampaignConfig(
        seed=3,
        system=base.system,
        otf=CALM,
        engine=base.engine,
        potential=base.potential,
        oracle={"oracle": "emt", **oracle},
    )


def test_other_settings_of_the_oracle_are_warned_of_and_all_labels_computed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Campaign.create(tmp_path / "c", emt()).prepare()
    with Campaign.create(tmp_path / "d", emt(oracle_arguments={"asap_cutoff": True})) as right:
        right.prepare()
    with Campaign.open(tmp_path / "c", oracle_arguments={"asap_cutoff": True}) as campaign:
        assert "labels of two settings do not belong together" in caplog.text
        outdated = campaign.outdated_labels()
        assert sorted(outdated) == ["labels/initial_000.extxyz", "labels/isolated_Cu.extxyz"]
        assert "2 labels" in str(campaign)
        campaign.relabel()
        assert campaign.outdated_labels() == ()
        new, expected = (tmp_path / "c/potentials/potential_v2.yaml", tmp_path / "d/potentials/potential_v1.yaml")
        assert new.read_bytes() == expected.read_bytes()
        assert new.read_bytes() != (tmp_path / "c/potentials/potential_v1.yaml").read_bytes()
    with Campaign.open(tmp_path / "c", oracle_arguments={}) as campaign:
        assert len(campaign.outdated_labels()) == 2
        campaign.restore(outdated)
        assert campaign.outdated_labels() == ()
        old = (tmp_path / "c/potentials/potential_v1.yaml").read_bytes()
        assert (tmp_path / "c/potentials/potential_v3.yaml").read_bytes() == old
        assert campaign.run().state is State.DONE


def test_settings_do_not_change_while_labels_with_the_earlier_ones_are_pending(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", emt(label_process="own")) as campaign:
        campaign.close()
    (tmp_path / "c/queue").mkdir()
    (tmp_path / "c/queue/job").write_text("paid")
    with pytest.raises(StateError, match="while labels with the earlier settings are pending"):
        Campaign.open(tmp_path / "c", oracle_arguments={"asap_cutoff": True})
    with pytest.raises(ConfigError, match="no effect, since an oracle object"):
        Campaign.open(tmp_path / "c", oracle=ToyOracle(), oracle_arguments={"asap_cutoff": True})


def test_all_fields_that_can_change_are_fields(tmp_path: Path) -> None:
    assert not [name for section, names in HALFWAY.items() for name in names if name in CHANGEABLE.get(section, ())]
    for section, names in HALFWAY.items():
        assert set(names) <= set(type(getattr(toy_config(), section)).model_fields)
