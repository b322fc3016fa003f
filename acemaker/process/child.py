"""Child processes under a supervisor, and removal of processes that an earlier run has left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

MARK = "ACEMAKER_RUN_DIRECTORY"
"""Environment variable that identifies all processes of a run, independent of their parents."""

OUTPUT = "output.txt"
"""Name of the file with the output of the child and its supervisor."""


class ChildProcess:
    """Runs a command in a directory, and leaves no processes behind.

    Parameters
    ----------
    command
        Program and arguments, which are not passed through a shell.
    directory
        Working directory, in which the output is written to `OUTPUT`.
    environment
        Environment variables in addition to those of this process.
    launcher
        Command line that runs the child and its supervisor elsewhere; it must pass on standard input.
    """

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str], launcher: Sequence[str] = ()
    ) -> None:
        self.output = directory / OUTPUT
        with self.output.open("wb") as stream:
            self._supervisor = subprocess.Popen(
                [*launcher, sys.executable, "-m", "acemaker.process.supervisor", *command],
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # only this process handles Ctrl-C
                env={**os.environ, **environment, "PWD": str(directory.resolve()), MARK: str(directory.resolve())},
            )

    def poll(self) -> int | None:
        """Return the exit status, or None while the command runs."""
        status = self._supervisor.poll()
        return status if status is None or status >= 0 else 128 - status  # the supervisor itself was killed

    def end(self) -> None:
        """Kill the command and all its descendants, and wait for them to end."""
        assert self._supervisor.stdin is not None
        with contextlib.suppress(OSError):
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()


def kill_leftovers(directory: Path) -> int:
    """Kill processes of an earlier run in a directory, whose owner and supervisor were both killed.

    Parameters
    ----------
    directory
        Directory of the run. If it is a symbolic link, no process is killed.

    Returns
    -------
    int
        Number of processes killed.
    """
    if directory.is_symlink():
        return 0
    root, killed = directory.resolve(), 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(MARK)
            if mark and process.pid != os.getpid() and Path(mark).is_relative_to(root):
                process.kill()
                killed += 1
    return killed


def describe_status(status: int) -> str:
    """Describe an exit status, by the name of the signal if there was one."""
    if status <= 128:
        return f"exit status {status}"
    try:
        name = signal.Signals(status - 128).name
    except ValueError:
        return f"exit status {status}"
    hint = " (killed manually, or by the system because memory ran out)" if name == "SIGKILL" else ""
    return f"signal {name}{hint}"
