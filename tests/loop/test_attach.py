"""Observing a campaign that another process runs."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import acemaker
from acemaker import Callback, Campaign
from acemaker.campaign.attached import AttachedCampaign
from acemaker.errors import CampaignError
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.processes import PATIENCE, start

ELSEWHERE = """
import sys, time
from pathlib import Path
from acemaker import Callback, Campaign
from tests.loop.test_kill import CONFIG

directory = Path(sys.argv[1])
waits = [30, 155, 325]


def wait(check):
    if waits and check.step >= waits[0]:
        while not directory.with_name(f"seen_{waits[0]}").exists():
            time.sleep(0.01)
        del waits[0]


campaign = Campaign.create(directory, CONFIG)
campaign.callbacks[:] = [Callback(on_check=wait)]
campaign.run()
"""


def files_of(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in directory.rglob("*") if path.is_file()
    }


def test_a_campaign_that_is_done(tmp_path: Path) -> None:
    engine = ToyEngine(steps=200, gamma=halting_at(100))
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle()).run()
    before = files_of(tmp_path)
    attached = acemaker.attach(tmp_path / "c")
    assert attached.is_running  # by this very process
    assert attached.follow().state is State.DONE
    assert attached.summary().items == campaign.summary().items
    assert len(attached.timeline().step) == len(campaign.timeline().step)
    campaign.close()
    assert not attached.refresh().is_running
    assert files_of(tmp_path) == before
    assert not any(hasattr(attached, name) for name in ("explore", "label", "run", "close"))


def test_one_that_was_broken_off_shows_how_far_it_came(tmp_path: Path) -> None:
    engine = ToyEngine(steps=200, gamma=halting_at(), restart_every=20)
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle())
    campaign.prepare()

    def stop(check: object) -> None:
        if check.step == 120:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    campaign.callbacks[:] = [Callback(on_check=stop)]
    with pytest.raises(KeyboardInterrupt):
        campaign.explore()
    attached = acemaker.attach(tmp_path / "c")
    assert attached.md_step == 120
    assert "120 of" in repr(attached)
    (running,) = attached.segments()
    assert running.end_step == 120
    assert "so far" in repr(running)
    assert "checked up to step 120" in running.headline()
    campaign.close()
    assert "none; open the campaign to continue it" in repr(attached.refresh())
    assert attached.follow(every=0.01) is attached  # nobody runs it: it does not wait for ever
    campaign = Campaign.open(tmp_path / "c", engine=engine, oracle=ToyOracle())
    campaign.run()
    assert attached.refresh().state is State.DONE
    assert attached.md_step == 200
    assert len(attached.segments()) == 1
    campaign.close()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="there is no campaign in"):
        acemaker.attach(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_following_while_another_process_runs(tmp_path: Path) -> None:
    directory = tmp_path / "c"
    child = start([sys.executable, "-c", ELSEWHERE, str(directory)], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            attached = acemaker.attach(directory)
            break
        except CampaignError:
            assert time.monotonic() < deadline, "the campaign did not begin"
            time.sleep(0.05)
    seen: list[tuple[State, int, int]] = []

    def show(campaign: AttachedCampaign) -> None:
        timeline = campaign.timeline()
        last = int(timeline.step[-1]) if len(timeline.step) else 0
        seen.append((campaign.state, campaign.progress.halt or 0, last))
        campaign.figure()
        for step in (30, 155, 325):  # for which the other process waits there
            if last >= step:
                (tmp_path / f"seen_{step}").touch()

    attached.follow(every=0.05, show=show)
    assert child.wait(PATIENCE) == 0
    assert attached.refresh().state is State.DONE
    assert seen[-1][0] is State.DONE
    assert {State.EXPLORE, State.DONE} <= {state for state, _, _ in seen}
    # steps were seen going by within segments, not only at their ends
    ends = {segment.end_step for segment in attached.segments()}
    assert len({last for state, _, last in seen if state is State.EXPLORE} - ends) >= 3
    assert [halt for _, halt, _ in seen] == sorted(halt for _, halt, _ in seen)
    with Campaign.open(directory) as campaign:
        assert campaign.progress.halt == attached.progress.halt >= 3
        assert (campaign.timeline().gamma_max == attached.timeline().gamma_max).all()


def test_threads_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    """As the painter of a cockpit and a cell do: each segment is read once, and none is seen twice."""
    steps = 400
    config = toy_config(max_otf_iterations=8)
    config = config.model_copy(update={"engine": config.engine.model_copy(update={"steps": steps})})
    engine = ToyEngine(steps, halting_at(100, 200, 300))
    with Campaign.create(tmp_path / "c", config, engine=engine, oracle=ToyOracle()) as campaign:
        expected = campaign.run().timeline().step.tolist()
    for _ in range(20):
        attached = acemaker.attach(tmp_path / "c")
        together = threading.Barrier(4)

        def ask(attached: AttachedCampaign = attached, together: threading.Barrier = together) -> tuple[list[int], int]:
            together.wait()
            return attached.timeline().step.tolist(), len(attached.segments())

        with ThreadPoolExecutor(4) as pool:
            for asked in [pool.submit(ask) for _ in range(4)]:
                assert asked.result() == (expected, 4)
