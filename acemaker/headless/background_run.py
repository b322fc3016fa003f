"""``acemaker run`` as a process of its own, which outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from acemaker.errors import ConfigError

# kernels ignore SIGINT between cells, and what is ignored stays so in a child: it could not be stopped
MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from acemaker.cli import main; sys.exit(main())"
)

TAIL = 16_384
"""Bytes of the log in which its last lines are looked for."""

_children: list[subprocess.Popen[bytes]] = []  # kept until they have ended: Python complains of one that is dropped


class Started:
    """A run that was started.

    Parameters
    ----------
    words
        What follows ``acemaker run``.
    log
        Takes what it prints, and is overwritten; its folder is made.

    Attributes
    ----------
    log : Path
        What it prints.

    Raises
    ------
    ConfigError
        If the log cannot be written.
    """

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self.log = log
        _children[:] = [child for child in _children if child.poll() is None]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = log.open("wb")
        except OSError as error:
            raise ConfigError(f"cannot write {log}: {error}") from error
        with stream:
            self._process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "run", *words],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # a kernel that is shut down takes its own group along
            )
        _children.append(self._process)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Stop it as Ctrl-C would; a second time kills what will not stop."""
        if self.status is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, and tell whether it has."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def lines(self, most: int = 12) -> list[str]:
        """Read the last lines that it has printed."""
        with self.log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - TAIL, 0))
            return stream.read().decode(errors="replace").splitlines()[-most:]
