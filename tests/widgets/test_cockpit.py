"""The logic of the cockpit, operated by clicks."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acemaker import Callback, Campaign
from acemaker.errors import StateError
from acemaker.plotting.axes import thinned
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from acemaker.widgets.cockpit import Cockpit
from acemaker.widgets.live_timeline import Curve, LiveTimeline


def make(directory: Path, *halts: int, oracle: ToyOracle | None = None, **otf: object) -> Campaign:
    engine = ToyEngine(steps=200, gamma=halting_at(*halts))
    return Campaign.create(directory, toy_config(**otf), engine=engine, oracle=oracle or ToyOracle())


def texts(widget: object) -> str:
    """Return all text in a widget and its children."""
    own = [str(getattr(widget, name)) for name in ("value", "description") if hasattr(widget, name)]
    return " ".join([*own, *(texts(child) for child in getattr(widget, "children", ()))])


def test_step_by_step_through_a_loop(tmp_path: Path) -> None:
    cockpit = Cockpit(make(tmp_path / "c", 100))
    states = []
    while cockpit.campaign.state is not State.DONE:
        states.append(cockpit.campaign.state)
        cockpit.step.click()
        assert cockpit.driver.wait(30)
    expected = "LABEL TRAIN EXPLORE HALT GENERATE SELECT LABEL TRAIN RESUME EXPLORE"
    assert [state.value for state in states] == expected.split()
    cockpit.update()
    assert cockpit.step.disabled and cockpit.run.disabled and cockpit.stop.disabled
    said = texts(cockpit.box)
    assert cockpit.halt.view is not None
    assert cockpit.halt.view.slider.max >= 3
    for words in ("Diagnosis of halt 1", "candidate 0", "labels so far", "done: all requested steps"):
        assert words in said
    cockpit.close()
    cockpit.campaign.close()


def test_run_and_stop(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100)
    cockpit = Cockpit(campaign)
    reached, seen = threading.Event(), threading.Event()
    take = cockpit._trace.take

    def waiting(check: object) -> None:
        take(check)  # type: ignore[arg-type]
        reached.set()
        assert seen.wait(30)

    campaign.callbacks[:] = [Callback(on_check=waiting)]
    cockpit.run.click()
    assert reached.wait(30)
    assert cockpit.driver.busy
    with pytest.raises(StateError, match="another thread is at work"):
        campaign.explore()
    cockpit.update()
    assert cockpit.run.disabled and not cockpit.stop.disabled
    cockpit.stop.click()
    seen.set()
    assert cockpit.driver.wait(30)
    assert "stopped; the next state is EXPLORE" in cockpit.message
    assert campaign.state is State.EXPLORE
    cockpit.run.click()
    assert cockpit.driver.wait(60)
    assert campaign.state is State.DONE
    cockpit.close()
    campaign.close()


def test_the_gate(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100, n_select=2)
    cockpit = Cockpit(campaign)
    cockpit.gate.value = True
    cockpit.run.click()
    assert cockpit.driver.wait(60)
    cockpit.update()
    assert campaign.state is State.LABEL
    assert "select the candidates" in cockpit.message
    assert not cockpit.choices.button.disabled
    before = len(campaign.labeled_structures())
    boxes = cockpit.choices.boxes
    for index, box in boxes.items():
        box.value = index in (0, max(boxes))
    cockpit.choices.button.click()
    assert f"to be labeled: 0, {max(boxes)}; by hand" in cockpit.message
    assert len(campaign.labeled_structures()) == before  # nothing is paid for by deciding
    assert "by hand" in texts(cockpit.choices.box)
    for box in cockpit.choices.boxes.values():
        box.value = False
    cockpit.choices.button.click()
    assert "expected one or more" in cockpit.message
    cockpit.run.click()
    assert cockpit.driver.wait(60)
    assert campaign.state is State.DONE
    assert {entry.candidate for entry in campaign.progress.labels if entry.halt == 1} == {0, max(boxes)}
    cockpit.close()
    campaign.close()


class Broken(ToyOracle):
    def label(self, atoms: object) -> object:
        raise RuntimeError("no license <b>today</b>")


def test_what_fails_is_shown_not_raised(tmp_path: Path) -> None:
    cockpit = Cockpit(make(tmp_path / "c", 100, oracle=Broken()))
    cockpit.run.click()
    assert cockpit.driver.wait(30)
    cockpit.update()
    assert "OracleError" in cockpit.message
    said = texts(cockpit.box)
    assert "no license &lt;b&gt;today&lt;/b&gt;" in said
    assert "<b>today" not in said
    assert cockpit.run.disabled
    cockpit.close()
    cockpit.campaign.close()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    campaign = make(tmp_path / "c", 100)
    cockpit = Cockpit(campaign)
    cockpit.run.click()
    cockpit.driver.wait(60)
    cockpit.close()
    assert threading.active_count() == before
    from ipywidgets.widgets.widget import _instances

    widgets = len(_instances)
    for _ in range(100):
        cockpit.update()
    assert len(_instances) == widgets
    campaign.close()


def test_a_reopened_campaign_shows_what_was_checked(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c")
    campaign.prepare()

    def stop(check: object) -> None:
        if check.step == 120:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    campaign.callbacks[:] = [Callback(on_check=stop)]
    with pytest.raises(KeyboardInterrupt):
        campaign.explore()
    campaign.close()
    campaign = Campaign.open(tmp_path / "c", engine=ToyEngine(steps=200, gamma=halting_at()), oracle=ToyOracle())
    cockpit = Cockpit(campaign)
    assert cockpit._trace.curve().step[-1] == 120
    cockpit.run.click()
    assert cockpit.driver.wait(60)
    assert np.array_equal(cockpit._trace.curve().step, campaign.timeline().step)
    cockpit.close()
    campaign.close()


def test_it_begins_with_what_there_is(tmp_path: Path) -> None:
    campaign = make(tmp_path / "c", 100, 150)
    campaign.prepare()
    campaign.explore()
    cockpit = Cockpit(campaign)
    assert campaign.state is State.HALT
    assert "Halt 1 at step 100" in texts(cockpit.halt.box)
    assert cockpit.halt.view is not None
    assert "2 labels so far" in texts(cockpit.tabs)
    cockpit.step.click()
    assert cockpit.driver.wait(30)
    cockpit.update()
    assert "Diagnosis of halt 1" in texts(cockpit.halt.box)
    cockpit.close()
    # what was done without it is shown as well
    for _ in range(2):
        campaign.step()
    cockpit = Cockpit(campaign)
    assert "Diagnosis of halt 1" in texts(cockpit.halt.box)
    assert "candidate 0" in texts(cockpit.choices.box)
    assert cockpit.driver.waits
    cockpit.close()
    campaign.run()
    campaign.close()
    campaign = Campaign.open(tmp_path / "c", engine=ToyEngine(steps=200), oracle=ToyOracle())
    halt = campaign.last_halt()
    assert halt is not None
    assert halt.number == 2
    cockpit = Cockpit(campaign)
    assert "Halt 2 at step 150" in texts(cockpit.halt.box)
    assert f"{len(campaign.progress.labels)} labels so far" in texts(cockpit.tabs)
    cockpit.close()
    campaign.close()


def test_where_nobody_watches_there_are_no_widgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACEMAKER_DISPLAY", "static")
    campaign = make(tmp_path / "c", 100).run()
    shown = campaign.cockpit()
    assert not hasattr(shown, "_repr_mimebundle_")
    assert repr(shown) == repr(campaign)
    assert shown._repr_html_().startswith(campaign._repr_html_())
    assert 'src="data:image/png;base64,' in shown._repr_html_()
    assert shown._repr_html_() == campaign.cockpit()._repr_html_()
    monkeypatch.setenv("ACEMAKER_DISPLAY", "live")
    widget = campaign.cockpit()
    assert isinstance(widget, Cockpit)
    assert "application/vnd.jupyter.widget-view+json" in widget._repr_mimebundle_()
    widget.close()
    campaign.close()


def picture(*, gamma: float, halts: tuple[tuple[int, float], ...] = ()) -> np.ndarray:
    steps = np.arange(0, 200, 5)
    curve = Curve(
        step=steps,
        gamma=np.full(len(steps), gamma),
        observable=np.full(len(steps), 300.0),
        starts=(),
        halts=halts,
    )
    return np.asarray(Image.open(io.BytesIO(LiveTimeline(toy_config()).png(curve)))).astype(int)


def test_the_live_timeline_draws_what_it_is_given() -> None:
    low, high = picture(gamma=1.0), picture(gamma=10.0)
    blue = [np.argwhere((image[..., 2] - image[..., 0]) > 80)[:, 0].min() for image in (low, high)]
    assert blue[1] < blue[0]  # higher up
    assert (picture(gamma=1.0, halts=((100, 10.0),)) != low).any()
    assert np.array_equal(low, picture(gamma=1.0))


def test_thinning_keeps_the_extremes() -> None:
    rng = np.random.default_rng(1)
    steps, values = np.arange(100_001), rng.random(100_001)
    fewer, kept = thinned(steps, values)
    assert len(fewer) <= 1600
    assert kept.max() == values.max() and kept.min() == values.min()
    assert (np.diff(fewer) > 0).all()
    assert np.array_equal(thinned(steps[:50], values[:50])[1], values[:50])
