"""A person's choice of what is labeled, and stopping from another thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from acemaker import Callback, Campaign
from acemaker.engines.protocol import Check
from acemaker.errors import ConfigError, LabelBudgetError, StateError
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.loop.test_kill import CONFIG


def at_select(directory: Path, **otf: object) -> Campaign:
    engine = ToyEngine(steps=200, gamma=halting_at(100))
    campaign = Campaign.create(directory, toy_config(**otf), engine=engine, oracle=ToyOracle())
    campaign.run(5)  # LABEL, TRAIN, EXPLORE, DIAGNOSE, GENERATE
    assert campaign.state is State.SELECT
    return campaign


def test_what_was_chosen_is_labeled(tmp_path: Path) -> None:
    campaign = at_select(tmp_path / "c", n_select=2)
    selection = campaign.select()
    dropped = selection.selected[1]
    wanted = selection.reserve[-1]
    chosen = campaign.choose([0, wanted])
    assert chosen.selected == (0, wanted)
    assert chosen.reason(wanted) == "yes (2): by hand"
    assert chosen.reason(dropped) == "no: by hand"
    assert set(chosen.reserve) == {*selection.selected, *selection.reserve} - {0, wanted}
    chosen = campaign.choose([wanted, 0])  # a mind may be changed
    assert campaign.label().candidates == (wanted, 0)
    with pytest.raises(StateError, match="no selection to change"):
        campaign.choose([0])
    assert campaign.run().state is State.DONE


def test_bad_choices_change_nothing(tmp_path: Path) -> None:
    campaign = at_select(tmp_path / "c", n_select=2, max_labels=4)
    with pytest.raises(StateError, match=r"no selection to change.*campaign.select\(\)"):
        campaign.choose([0])
    selection = campaign.select()
    before = (tmp_path / "c" / "journal.jsonl").read_bytes()
    for wrong in ([], [0, 0], [99]):
        with pytest.raises(ConfigError, match="expected one or more of the candidates 0, 1"):
            campaign.choose(wrong)
    left = 4 - len(campaign.progress.labels)
    with pytest.raises(LabelBudgetError, match=f"at most {left} candidates, which is what is left of max_labels=4"):
        campaign.choose([*selection.selected, *selection.reserve][: left + 1])
    assert (tmp_path / "c" / "journal.jsonl").read_bytes() == before


def choose_and_die(directory: str) -> None:
    campaign = Campaign.create(directory, CONFIG)
    while campaign.state is not State.SELECT:
        campaign.step()
    selection = campaign.select()
    campaign.choose([selection.reserve[0], selection.selected[0]])
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_choice_survives_a_kill(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=choose_and_die, args=(str(tmp_path / "c"),))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    with Campaign.open(tmp_path / "c") as campaign:
        assert campaign.state is State.LABEL
        selected = tuple(campaign.progress.selections[-1]["selected"])
        assert selected[1] == 0 != selected[0]
        labels = campaign.label()
        assert labels.candidates == selected


def test_stop_from_another_thread(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", CONFIG) as campaign:
        heard: list[int] = []
        reached = threading.Event()

        def listen(check: Check) -> None:
            heard.append(check.step)
            if check.step >= 100:
                reached.set()

        campaign.callbacks[:] = [Callback(on_check=listen)]
        thread = threading.Thread(target=campaign.run)
        thread.start()
        assert reached.wait(60)
        campaign.stop()
        thread.join(20)
        assert not thread.is_alive()
        assert campaign.state is not State.FAILED
        assert campaign.state is not State.DONE
        stopped_at = heard[-1]
        campaign.run()
        assert campaign.state is State.DONE
        assert heard[-1] == CONFIG.engine.steps > stopped_at
    with Campaign.create(tmp_path / "whole", CONFIG) as whole:
        whole.run()
        assert [entry.key for entry in whole.progress.labels] == [entry.key for entry in campaign.progress.labels]
        assert (whole.timeline().gamma_max == campaign.timeline().gamma_max).all()
