"""Processes killed after an accident: those of one folder, identified by their mark, and no others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from acemaker.errors import EngineError
from acemaker.process.child import MARK, kill_leftovers
from acemaker.process.folder import create_empty_folder, create_unique_folder


def sleeping(mark: Path | None) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    if mark is not None:
        environment[MARK] = str(mark)
    return subprocess.Popen(["sleep", "300"], env=environment)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[subprocess.Popen[bytes]]], None]:
    """Hide all processes but those of the test, since a fault here would kill others on this machine."""

    def see(processes: list[subprocess.Popen[bytes]]) -> None:
        visible = [psutil.Process(process.pid) for process in processes]
        monkeypatch.setattr(psutil, "process_iter", lambda: iter(visible))

    return see


def test_only_processes_with_the_mark_of_that_folder_are_ended(tmp_path: Path, only: Callable[..., None]) -> None:
    run, other = tmp_path / "segments" / "run", tmp_path / "other"
    run.mkdir(parents=True)
    other.mkdir()
    (tmp_path / "segments" / "root").symlink_to("/")
    (tmp_path / "segments" / "linked").symlink_to(other)
    (tmp_path / "segments" / "gone").symlink_to(tmp_path / "nothing")
    processes = [sleeping(None), sleeping(other), sleeping(run), sleeping(run / "deeper"), sleeping(Path("relative"))]
    only(processes)
    try:
        for name in ("root", "linked", "gone"):
            assert kill_leftovers(tmp_path / "segments" / name) == 0
        for name in ("root", "linked"):
            for create_folder in (create_empty_folder, create_unique_folder):
                with pytest.raises(EngineError, match="is reached through a link"):
                    create_folder(tmp_path / "segments" / name)
                with pytest.raises(EngineError, match="is reached through a link"):
                    create_folder(tmp_path / "segments" / name / "deeper")
        assert kill_leftovers(Path("/")) == 3  # only processes whose mark is an absolute path
        assert [process.wait(10) if process in processes[1:4] else process.poll() for process in processes] == [
            *(None, -9, -9, -9, None)
        ]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_folder_inside_is_of_the_same_run(tmp_path: Path, only: Callable[..., None]) -> None:
    processes = [sleeping(tmp_path / "run"), sleeping(tmp_path / "run" / "deeper"), sleeping(tmp_path / "run2")]
    only(processes)
    try:
        (tmp_path / "run").mkdir()
        assert kill_leftovers(tmp_path / "run") == 2
        assert [process.wait(10) for process in processes[:2]] == [-9, -9]
        assert processes[2].poll() is None
    finally:
        for process in processes:
            process.kill()
            process.wait()
