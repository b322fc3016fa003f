"""The lines of the logger, and the bar of a run in a terminal or notebook."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acemaker import Callback, Campaign
from acemaker.errors import OracleError
from acemaker.loop import progress_report
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

LOGGER = logging.getLogger("acemaker")


def make(directory: Path, oracle: ToyOracle | None = None) -> Campaign:
    return Campaign.create(directory, toy_config(), engine=ToyEngine(200, halting_at(60)), oracle=oracle or ToyOracle())


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No handler, and the level that was there before."""
    before = (list(LOGGER.handlers), LOGGER.level)
    yield
    assert (LOGGER.handlers, LOGGER.level) == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_user_who_configures_logging_gets_the_lines_of_any_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with make(tmp_path / "c") as campaign, caplog.at_level(logging.INFO, logger="acemaker"):
        results = list(campaign.steps())
    lines = [record.getMessage() for record in caplog.records if record.name == "acemaker"]
    assert {record.levelname for record in caplog.records if record.name == "acemaker"} == {"INFO"}
    for result in results:
        assert result.headline() in lines
    assert any(re.match(r"step +0 of 200  gamma ", line) for line in lines)
    assert "label 2 of 2: candidate 1" in lines
    assert capsys.readouterr().out == ""


def test_without_logging_and_progress_a_run_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path / "c").run().close()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_progress_is_plain_lines_where_nobody_watches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with make(tmp_path / "c") as campaign:
        campaign.run(progress=True)
        convergence = campaign.convergence().headline()
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == ""
    assert "\r" not in printed.out
    assert lines[0] == "label 1 of 2: candidate 0"
    assert lines[-1] == convergence
    tenths = [int(match[1]) for line in lines if (match := re.match(r"step +(\d+) of 200", line))]
    assert tenths == sorted(set(tenths))
    assert 5 < len(tenths) <= 11


def test_the_lines_of_two_runs_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for name in ("one", "two"):
        make(tmp_path / name).run(progress=True).close()
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


@pytest.mark.parametrize("where", ["terminal", "browser"])
def test_a_bar_where_somebody_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    screen, out = Terminal() if where == "terminal" else io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(progress_report, "is_interactive", lambda: where == "browser")
    user = Callback()
    with make(tmp_path / "c") as campaign:
        campaign.callbacks.append(user)
        campaign.run(progress=True)
        assert campaign.callbacks == [user]
    shown = screen.getvalue()
    assert "200/200" in shown
    assert "gamma" in shown
    lines = out.getvalue().splitlines()
    assert "label 2 of 2: candidate 1" in lines
    assert not any(line.startswith("step ") for line in lines), "the bar shows the checks"


def test_the_bar_moves_back_to_where_the_trajectory_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_report, "is_interactive", lambda: True)
    bars: list[Any] = []
    with make(tmp_path / "c") as campaign:
        callbacks: list[Any] = campaign.callbacks
        watch = Callback(on_result=lambda _: bars.extend(each._bar.n for each in callbacks[1:]))
        campaign.callbacks.append(watch)
        campaign.run(progress=True)
        resumed = campaign.segments()[1].start_step
    # the watching callback comes before the bar: it sees the bar as the state before left it
    assert max(bars) > resumed
    assert bars[-1] == 200


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("error", [OracleError, KeyboardInterrupt])
def test_nothing_is_left_after_an_exception(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    watched: bool,
    error: type[BaseException],
) -> None:
    monkeypatch.setattr(progress_report, "is_interactive", lambda: watched)
    before = (list(LOGGER.handlers), LOGGER.level)

    def fail(_: object) -> None:
        raise error("as configured")

    user = Callback(on_check=fail)
    with make(tmp_path / "c") as campaign:
        campaign.callbacks.append(user)
        with pytest.raises(error):
            campaign.run(progress=True)
        assert campaign.callbacks == [user]
        assert (LOGGER.handlers, LOGGER.level) == before
        last = capsys.readouterr().out.splitlines()[-1]
        assert ("interrupted" in last) == (error is KeyboardInterrupt)
        campaign.callbacks.clear()
        if error is KeyboardInterrupt:
            assert campaign.run().state is State.DONE
            assert capsys.readouterr().out == ""


def test_the_level_of_the_users_logger_is_respected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is lowered for the run only, and a level that is already low stays."""
    for level in (logging.WARNING, logging.DEBUG):
        LOGGER.setLevel(level)
        try:
            make(tmp_path / str(level)).run(2, progress=True).close()
            assert LOGGER.level == level
        finally:
            LOGGER.setLevel(logging.NOTSET)
        assert "label 2 of 2" in capsys.readouterr().out
