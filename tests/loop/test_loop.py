"""The specification's loop test, on the toy engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker import Callback, Campaign
from acemaker.errors import CampaignExistsError, ConfigError, IterationLimitError, LabelBudgetError, StateError
from acemaker.results import Candidates, Diagnosis, Labels, Resumption, Segment, Selection, Training
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def make(
    directory: Path, *halts: int, oracle: ToyOracle | None = None, exist_ok: bool = False, **otf: object
) -> Campaign:
    engine, oracle = ToyEngine(steps=200, gamma=halting_at(*halts)), oracle or ToyOracle()
    return Campaign.create(directory, toy_config(**otf), exist_ok=exist_ok, engine=engine, oracle=oracle)


def test_the_self_healing_cycle(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    campaign.prepare()
    assert (tmp_path / "c" / "potentials" / "potential_v1.yace").exists()
    states = []
    for result in campaign.steps():
        states.append(type(result))
    assert states == [Segment, Diagnosis, Candidates, Selection, Labels, Training, Resumption, Segment]
    segments = campaign.segments()
    assert segments[0].halt is not None
    assert segments[0].halt.step == 100
    for suffix in (".yaml", ".yace", ".asi"):
        assert (tmp_path / "c" / "potentials" / f"potential_v2{suffix}").exists()
    assert campaign.state is State.DONE
    assert campaign.generation is not None
    assert campaign.generation.number == 2
    assert segments[1].end_step == 200


def test_states_follow_each_other_as_specified(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    seen = [campaign.state]
    while campaign.state is not State.DONE:
        campaign.step()
        seen.append(campaign.state)
    names = "LABEL TRAIN EXPLORE HALT GENERATE SELECT LABEL TRAIN RESUME EXPLORE DONE"
    assert [state.value for state in seen] == names.split()
    journal = (tmp_path / "c" / "journal.jsonl").read_text()
    assert '"state": "HALT", "next": "DIAGNOSE"' in journal


def test_a_campaign_that_has_not_run_yet_has_an_empty_timeline(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    assert len(campaign.timeline().step) == 0
    assert campaign.trajectory() == []
    assert "no checks" in repr(campaign.timeline())
    assert campaign.figure() is not None


def test_one_method_a_step(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    campaign.prepare()
    segment = campaign.explore()
    assert segment.halt is not None
    diagnosis = campaign.diagnose()
    assert diagnosis.structure.arrays["gamma"].argmax() == diagnosis.epicenter[0] == 0
    candidates = campaign.generate()
    assert candidates.origins[0] == "halted structure"
    selection = campaign.select()
    assert selection.selected[0] == 0
    labels = campaign.label()
    assert labels.candidates == selection.selected
    training = campaign.train()
    assert training.accepted
    resumption = campaign.resume()
    assert (resumption.mode, resumption.step, resumption.discarded_steps) == ("safe", 50, 50)
    assert campaign.explore().halt is None


def test_a_step_out_of_turn_says_what_comes_next(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    with pytest.raises(StateError, match=r"cannot explore now: .*LABEL.*campaign.label\(\)"):
        campaign.explore()
    campaign.prepare()
    with pytest.raises(StateError, match="there is a generation already"):
        campaign.prepare()
    campaign.run()
    with pytest.raises(StateError, match="the campaign is done"):
        campaign.step()
    assert campaign.run() is campaign


def test_run_6_is_run_3_reopen_run_3(tmp_path: Path) -> None:
    one = make(tmp_path / "one", 60, 120).run(6)
    two = make(tmp_path / "two", 60, 120).run(3)
    two.close()
    two = Campaign.open(tmp_path / "two", engine=ToyEngine(200, halting_at(60, 120)), oracle=ToyOracle()).run(3)
    assert one.state is two.state is State.LABEL
    for campaign in (one, two):
        campaign.run()
    for name in ("potential_v1", "potential_v2", "potential_v3"):
        assert (tmp_path / "one/potentials" / f"{name}.yaml").read_bytes() == (
            tmp_path / "two/potentials" / f"{name}.yaml"
        ).read_bytes()
    assert np.array_equal(one.timeline().gamma_max, two.timeline().gamma_max)
    assert [a.positions.tolist() for a in one.trajectory()] == [a.positions.tolist() for a in two.trajectory()]


def test_reopened_at_every_state_it_goes_on_alike(tmp_path: Path) -> None:
    """Everything a step needs from earlier ones comes from the files."""
    whole = make(tmp_path / "whole", 60, 120).run()
    oracle = ToyOracle()
    campaign = make(tmp_path / "parts", 60, 120, oracle=oracle)
    while campaign.state is not State.DONE:
        campaign.close()
        campaign = Campaign.open(tmp_path / "parts", engine=ToyEngine(200, halting_at(60, 120)), oracle=oracle)
        campaign.step()
    assert oracle.calls == len(campaign.progress.labels) == len(whole.progress.labels)
    one, two = (tmp_path / name / "potentials/potential_v3.yaml" for name in ("whole", "parts"))
    assert one.read_bytes() == two.read_bytes()


def test_resuming_from_the_halt(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100, resume_from="halt")
    results = [result for result in campaign.steps() if isinstance(result, Resumption)]
    assert [(r.mode, r.step, r.discarded_steps) for r in results] == [("halt", 100, 0)]
    assert campaign.timeline().step.tolist() == list(range(0, 201, 5))


def test_a_break_goes_back_to_the_safe_state_whatever_was_chosen(tmp_path: Path) -> None:
    engine = ToyEngine(200, lambda step, generation: 50.0 if step == 85 and generation == 1 else 0.5)
    config = toy_config(resume_from="halt")
    campaign = Campaign.create(tmp_path / "c", config, engine=engine, oracle=ToyOracle())
    results = [result for result in campaign.steps() if isinstance(result, Resumption)]
    assert [(r.mode, r.step) for r in results] == [("safe", 50)]
    assert campaign.segments()[0].halt.tier == "break"


def test_a_checkpoint_above_the_threshold_is_not_safe(tmp_path: Path) -> None:
    """A lone spike at checkpoint 100 does not halt, but one does not go back to it either."""

    def gamma(step: int, generation: int) -> float:
        return {100: 7.0, 120: 50.0}.get(step, 0.5) if generation == 1 else 0.5

    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(200, gamma), oracle=ToyOracle())
    results = [result for result in campaign.steps() if isinstance(result, Resumption)]
    assert [(r.step, r.discarded_steps) for r in results] == [(50, 70)]


def test_run_0_does_nothing(tmp_path: Path) -> None:
    assert make(tmp_path / "c", 100).run(0).state is State.LABEL


def test_more_halts_than_allowed(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 60, 120, max_otf_iterations=1)
    with pytest.raises(IterationLimitError, match=r"halt 2 exceeds max_otf_iterations=1.*max_otf_iterations=2\)"):
        campaign.run()
    assert campaign.state is State.FAILED
    assert "FAILED" in repr(campaign)
    with pytest.raises(StateError, match="failed in DIAGNOSE"):
        campaign.step()
    campaign.close()
    again = Campaign.open(
        tmp_path / "c", engine=ToyEngine(200, halting_at(60, 120)), oracle=ToyOracle(), max_otf_iterations=2
    )
    assert again.state is State.DIAGNOSE
    assert again.run().state is State.DONE


def test_no_more_labels_than_the_budget_allows(tmp_path: Path) -> None:
    """Two for generation 1, and of the five that a halt asks for, what is left."""
    campaign = make(tmp_path / "c", 60, 120, max_labels=4)
    n_first = campaign.progress.n_first
    with pytest.raises(LabelBudgetError, match=r"has 4 labels, max_labels=4, and halt 2 needs more.*max_labels=14\)"):
        for result in campaign.steps():
            if isinstance(result, Selection) and result.candidates.halt_number:
                assert len(result.selected) == result.allowed == 4 - n_first
    assert len(campaign.progress.labels) == 4
    campaign.close()
    again = Campaign.open(tmp_path / "c", engine=ToyEngine(200, halting_at(60, 120)), oracle=ToyOracle(), max_labels=14)
    assert again.run().state is State.DONE


def test_a_budget_too_small_for_generation_0(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the labels of the first generation, got"):
        make(tmp_path / "c", 60, max_labels=1)
    assert not list((tmp_path / "c").glob("*.extxyz"))


def test_another_campaign_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path / "c", 100).close()
    before = (tmp_path / "c" / "journal.jsonl").read_bytes()
    with pytest.raises(CampaignExistsError, match=r"otf\.n_candidates: 6 -> 7"):
        make(tmp_path / "c", 100, n_candidates=7)
    assert (tmp_path / "c" / "journal.jsonl").read_bytes() == before


def test_creating_it_again_goes_on(tmp_path: Path) -> None:
    make(tmp_path / "c", 100).run(4)
    again = make(tmp_path / "c", 100, exist_ok=True)
    assert again.state is State.GENERATE
    assert len(again.progress.labels) == 2
    assert again.run().state is State.DONE


def test_the_labeled_are_the_selected_and_the_anchor_is_the_halted(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100, n_select=3).run()
    labels = [entry for entry in campaign.progress.labels if entry.halt == 1]
    assert len(labels) == 3
    assert labels[0].candidate == 0
    halted = campaign.segments()[0].halt.structure
    halted = campaign.labeled_structures()[2]
    assert np.allclose(halted.positions, halted.positions, atol=1e-8)


def test_lines_of_progress_end_with_the_run_that_asked_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of labels, too, whether it came to its end or was interrupted."""
    campaign = make(tmp_path / "c", 60, 120)
    campaign.run(1, progress=True)
    assert "label 2 of 2" in capsys.readouterr().out
    campaign.run(4)
    while campaign.state is not State.LABEL:
        campaign.step()
    campaign.label()
    assert capsys.readouterr().out == ""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    campaign.callbacks[:] = [Callback(on_check=interrupt)]
    with pytest.raises(KeyboardInterrupt):
        campaign.run(progress=True)
    assert "interrupted" in capsys.readouterr().out
    campaign.callbacks.clear()
    campaign.run()
    assert capsys.readouterr().out == ""
    campaign.close()
