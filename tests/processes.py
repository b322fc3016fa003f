"""Child processes of tests, which end with the test that started them, also if it fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

import psutil

PATIENCE = 180.0
"""s, for what must come to pass however slow and busy the machine is; bounds that were promised are asserted apart."""

_started: list[subprocess.Popen[str]] = []


def start(command: list[Any], **options: Any) -> subprocess.Popen[str]:
    """Start a process whose output is text."""
    process = subprocess.Popen(command, text=True, **options)
    _started.append(process)
    return process


def end_all() -> None:
    """Kill the process, and close its pipes: an open one would cause a warning in the next test."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def words_of(process: psutil.Process) -> list[str]:
    """Return a process's command line; nothing of one that has ended since it was listed."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
