"""A child process under its warden: started, ended, and looked for after an accident."""

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
"""Environment variable by which all processes of a run are known, whoever their parents are."""

OUTPUT = "output.txt"
"""What the child and its warden say."""


class ChildProcess:
    """A command that runs in a directory and leaves nothing behind.

    Parameters
    ----------
    command
        Program and arguments; no shell sees them.
    directory
        Where it runs, and where its output goes.
    environment
        Variables besides those of this process.
    launcher
        Command line that brings the child and its warden to another place, and this process's end of their standard
        input with them.
    """

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str], launcher: Sequence[str] = ()
    ) -> None:
        self.output = directory / OUTPUT
        with self.output.open("wb") as stream:
            self._warden = subprocess.Popen(
                [*launcher, sys.executable, "-m", "acemaker.process.supervisor", *command],
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process to handle
                env={**os.environ, **environment, "PWD": str(directory.resolve()), MARK: str(directory.resolve())},
            )

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        status = self._warden.poll()
        return status if status is None or status >= 0 else 128 - status  # the warden itself was killed

    def end(self) -> None:
        """Kill the command and all that came of it, and wait for them to be gone."""
        assert self._warden.stdin is not None
        with contextlib.suppress(OSError):
            self._warden.stdin.close()
        try:
            self._warden.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._warden.kill()
            self._warden.wait()


def kill_leftovers(directory: Path) -> int:
    """Kill processes of an earlier run in a directory, whose owner and warden were both killed.

    Parameters
    ----------
    directory
        Where it ran. A link is none: nothing is killed for what lies where it leads.

    Returns
    -------
    int
        How many there were.
    """
    if directory.is_symlink():
        return 0
    where, killed = directory.resolve(), 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            mark = process.environ().get(MARK)
            if mark and process.pid != os.getpid() and Path(mark).is_relative_to(where):
                process.kill()
                killed += 1
    return killed


def describe_status(status: int) -> str:
    """Say an exit status in words."""
    if status <= 128:
        return f"exit status {status}"
    try:
        name = signal.Signals(status - 128).name
    except ValueError:
        return f"exit status {status}"
    hint = " (killed by hand, or by the system for want of memory)" if name == "SIGKILL" else ""
    return f"signal {name}{hint}"
