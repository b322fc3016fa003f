"""Callbacks of the user, of the cockpit, and of a run that shows its progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from acemaker import Callback, Campaign
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.training import Training
from acemaker.results import Labels
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.widgets.cockpit import Cockpit


class Recorder(Callback):
    """Records the names of the methods that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def on_check(self, check: object) -> None:
        self.calls.append("check")

    def on_iteration(self, iteration: object) -> None:
        self.calls.append("iteration")

    def on_label(self, label: object) -> None:
        self.calls.append("label")

    def on_result(self, record: object) -> None:
        self.calls.append(type(record).__name__)


def make(directory: Path, *callbacks: Callback) -> Campaign:
    engine = ToyEngine(200, halting_at(60))
    return Campaign.create(directory, toy_config(), engine=engine, oracle=ToyOracle(), callbacks=callbacks)


def test_several_callbacks_are_all_called_in_their_order(tmp_path: Path) -> None:
    order: list[int] = []
    first, second = Recorder(), Recorder()
    ordered = [Callback(on_result=lambda _, number=number: order.append(number)) for number in (1, 2)]
    with make(tmp_path / "c", first, second, *ordered) as campaign:
        results = list(campaign.steps())
        n_checks = sum(len(segment.timeline.step) for segment in campaign.segments())
        n_labels = len(campaign.progress.labels)
    assert first.calls == second.calls
    named = [call for call in first.calls if call not in ("check", "label")]
    assert named == [type(result).__name__ for result in results]
    assert first.calls.count("check") == n_checks > 0
    assert first.calls.count("label") == n_labels > 2
    assert order == [1, 2] * len(results)


def test_labels_come_before_the_result_of_their_state(tmp_path: Path) -> None:
    recorder = Recorder()
    with make(tmp_path / "c", recorder) as campaign:
        labels = campaign.label()
    assert recorder.calls == ["label"] * len(labels.structures) + ["Labels"]


def test_a_callback_may_append_another_one_while_the_campaign_runs(tmp_path: Path) -> None:
    late = Recorder()

    def append(record: object) -> None:
        if isinstance(record, Labels) and late not in campaign.callbacks:
            campaign.callbacks.append(late)

    with make(tmp_path / "c", Callback(on_result=append)) as campaign:
        campaign.run()
    assert late.calls[:2] == ["Training", "check"], "it is called from the next event on"


def test_one_that_is_removed_while_the_campaign_runs_is_not_called_again(tmp_path: Path) -> None:
    class Once(Recorder):
        def on_result(self, record: object) -> None:
            super().on_result(record)
            campaign.callbacks.remove(self)

    once, other = Once(), Recorder()
    with make(tmp_path / "c", once, other) as campaign:
        campaign.run(2)
    assert [call for call in once.calls if call != "label"] == ["Labels"]
    assert [call for call in other.calls if call != "label"] == ["Labels", "Training"]


def test_open_takes_callbacks_too(tmp_path: Path) -> None:
    make(tmp_path / "c").close()
    recorder = Recorder()
    with Campaign.open(tmp_path / "c", engine=ToyEngine(), oracle=ToyOracle(), callbacks=[recorder]) as campaign:
        campaign.run(2)
        assert campaign.callbacks == [recorder]
    assert recorder.calls[-2:] == ["Labels", "Training"]


def test_the_cockpit_leaves_the_users_callbacks(tmp_path: Path) -> None:
    recorder = Recorder()
    campaign = make(tmp_path / "c", recorder)
    cockpit = Cockpit(campaign)
    assert campaign.callbacks[0] is recorder
    for _ in range(3):
        cockpit.step.click()
        assert cockpit.driver.wait(30)
    cockpit.close()
    assert campaign.callbacks == [recorder]
    assert recorder.calls.count("check") > 2
    assert [call for call in recorder.calls if call not in ("check", "label")] == ["Labels", "Training", "Segment"]
    campaign.close()


def test_iterations_of_a_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that has them: here a linear one that pretends to."""
    from acemaker.loop import work

    class Iterating(LinearTrainer):
        def train(self, structures: Sequence[Atoms], **settings: Any) -> Training:
            for number in range(3):
                report(Iteration(number=number, max_iterations=2, loss=1.0, energy=1.0, forces=1.0, functions=10))
            return super().train(structures, **settings)

    report = print

    def make_trainer(config: Any, _: Any, elements: Any, directory: Any, listener: Any) -> LinearTrainer:
        nonlocal report
        report = listener
        return Iterating(config, elements, directory)

    recorder, losses = Recorder(), list[float]()
    with make(
        tmp_path / "c", recorder, Callback(on_iteration=lambda iteration: losses.append(iteration.loss))
    ) as campaign:
        monkeypatch.setattr(work, "make_trainer", make_trainer)
        campaign.prepare()
        assert campaign.state is State.EXPLORE
    assert recorder.calls[-4:] == ["iteration"] * 3 + ["Training"]
    assert losses == [1.0, 1.0, 1.0]


def test_an_exception_of_a_callback_ends_the_run_as_one_of_the_engine_would(tmp_path: Path) -> None:
    """The state is recorded as failed, and the callbacks are as the user left them."""

    def fail(_: object) -> None:
        raise RuntimeError("the disk of the callback is full")

    failing = Callback(on_check=fail)
    with make(tmp_path / "c", failing) as campaign:
        with pytest.raises(RuntimeError, match="the disk of the callback is full"):
            campaign.run(progress=True)
        assert campaign.state is State.FAILED
        assert campaign.callbacks == [failing]
