"""A pool of processes: a dead worker costs a retry, and a job that kills its workers is given up."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from acemaker.errors import ConfigError
from acemaker.states import State
from tests.labeling.halted import (
    at_halt,
    calls,
    create,
    driver,
    hung,
    journaled,
    potentials,
    reopen,
    running,
    tell,
)
from tests.labeling.halted import config as told_config
from tests.processes import PATIENCE, until

TWO = {"executor": "processes", "n_parallel_labels": 2}


def inside(folder: Path, labeling: dict[str, Any]) -> Any:
    """Label in the worker itself, so that a label that dies takes the worker with it."""
    config = told_config(folder, labeling)
    return config.model_copy(update={"oracle": config.oracle.model_copy(update={"label_process": "this"})})


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.labeling.halted.config", lambda folder, labeling, **_: inside(folder, labeling))


@pytest.mark.slow
def test_a_worker_that_dies_costs_a_retry_and_a_job_that_kills_workers_is_given_up(tmp_path: Path, here: None) -> None:
    campaign, selection = at_halt(tmp_path, TWO)
    first, second, third, fourth = selection.selected
    tell(tmp_path, **{f"c{first}": "die once", f"c{second}": "die", f"c{fourth}": "die once"})
    with campaign:
        labels = campaign.label()
        assert labels.candidates == (first, third, fourth)
        (failure,) = labels.failures
        assert failure.candidate == second
        assert failure.attempts == 3
        assert failure.cause == "killed: 3 workers of 2 processes died with it"
        # a pool that breaks kills all of its workers: one of them may die before it has recorded its call
        assert calls(tmp_path, "began").count(str(second)) in (2, 3)
        assert calls(tmp_path).count(str(third)) == 1
        assert campaign.run().state is State.DONE


@pytest.mark.slow
def test_the_same_potential_as_one_by_one(tmp_path: Path, here: None) -> None:
    for name, labeling in (("one", {}), ("two", TWO)):
        with create(tmp_path / name, labeling) as campaign:
            assert campaign.run().state is State.DONE
    assert potentials(tmp_path / "one") == potentials(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_driver(tmp_path: Path, here: None, number: signal.Signals) -> None:
    campaign, selection = at_halt(tmp_path, TWO)
    campaign.close()
    tell(tmp_path, **{f"c{candidate}": "hang" for candidate in selection.selected[1:]})
    child = driver(tmp_path)
    until(lambda: len(journaled(tmp_path)) == 1 and len(hung(tmp_path)) == 2)
    child.send_signal(number)
    child.communicate(timeout=PATIENCE)
    until(lambda: not any(running(pid) for pid in hung(tmp_path)))
    until(lambda: not any(worker_of(pid, child.pid) for pid in multiprocessing_workers()))
    with reopen(tmp_path) as again:
        assert again.label().candidates == selection.selected
    assert calls(tmp_path).count(str(selection.selected[0])) == 1


def multiprocessing_workers() -> list[int]:
    import psutil

    workers = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if "multiprocessing.spawn" in " ".join(process.info["cmdline"] or []):
            workers.append(process.info["pid"])
    return workers


def worker_of(pid: int, parent: int) -> bool:
    import psutil

    try:
        return f"parent_pid={parent}" in " ".join(psutil.Process(pid).cmdline()) or psutil.Process(pid).ppid() == parent
    except psutil.Error:
        return False


def one_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.slow
def test_the_users_pool_cannot_be_created_again(tmp_path: Path, here: None) -> None:
    campaign, selection = at_halt(tmp_path)
    campaign.close()
    with one_process() as pool, reopen(tmp_path, executor=pool) as again:
        tell(tmp_path, **{f"c{selection.selected[0]}": "die"})
        with pytest.raises(ConfigError, match="pass a callable that returns an executor"):
            again.label()
    with reopen(tmp_path, executor=one_process) as again:
        tell(tmp_path, **{f"c{selection.selected[0]}": "die"})
        labels = again.label()
    assert [failure.candidate for failure in labels.failures] == [selection.selected[0]]
    assert len(labels.candidates) == 4


def test_an_oracle_of_the_main_program_cannot_be_sent(tmp_path: Path) -> None:
    config = told_config(tmp_path, TWO)
    oracle = config.oracle.model_copy(update={"oracle": "__main__:thing"})
    from acemaker import Campaign

    with pytest.raises(ConfigError, match="is in the main program"):
        Campaign.create(tmp_path / "c", config.model_copy(update={"oracle": oracle}))
