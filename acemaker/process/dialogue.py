"""A child process that answers messages until it is closed, or its owner ends."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from acemaker.errors import EngineError
from acemaker.process.child import ChildProcess, describe_status, kill_leftovers
from acemaker.utils.interrupt import interruptions

REQUESTS, ANSWERS = "requests", "answers"
"""Names of the pipes in the folder in which the child runs. Each message is preceded by its length, `HEADER` bytes."""

HEADER = 8
"""Bytes of the length of a message, little-endian."""

PAUSE = 0.05
"""Interval in s between two looks at Ctrl-C, the time limit and the child, while there is nothing to read."""

GRACE = 2.0
"""Time in s after Ctrl-C in which an answer is still awaited, so that a short evaluation ends normally."""

_PREFIX = "acemaker-dialogue-"


class Dialogue:
    """Starts a command in a temporary folder, and exchanges messages with it through pipes.

    The command and its descendants are killed by `close`, and when this process ends, also by SIGKILL.

    Parameters
    ----------
    command
        Program and arguments.
    name
        Description of the command for messages.
    environment
        Environment variables in addition to those of this process.
    """

    def __init__(self, command: Sequence[str], name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        _sweep()
        prefix = f"{_PREFIX}{_host()}-{os.getpid()}-"
        self.folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
        self._pipes: dict[str, int] = {}
        self._child: ChildProcess | None = None
        try:
            for pipe in (REQUESTS, ANSWERS):
                os.mkfifo(self.folder / pipe)
                # open for both directions: neither opening nor writing fails or waits if the child has ended
                self._pipes[pipe] = os.open(self.folder / pipe, os.O_RDWR | os.O_NONBLOCK)
            self._child = ChildProcess(command, self.folder, environment)
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent; after an error or Ctrl-C, the child has been ended."""
        return self._child is not None

    def send(self, message: bytes, limit: float) -> None:
        """Send a message.

        Parameters
        ----------
        message
            The message.
        limit
            Time limit in s.

        Raises
        ------
        EngineError
            If the child has ended, or does not read the message within the limit.
        KeyboardInterrupt
            After Ctrl-C.
        """
        rest = memoryview(len(message).to_bytes(HEADER, "little") + message)

        def advance() -> bool:
            nonlocal rest
            rest = rest[os.write(self._pipes[REQUESTS], rest) :]
            return not rest

        self._exchange(REQUESTS, advance, limit)

    def receive(self, limit: float) -> bytes:
        """Wait for a message.

        Parameters
        ----------
        limit
            Time limit in s.

        Raises
        ------
        EngineError
            If the child has ended, or sends no message within the limit.
        KeyboardInterrupt
            After Ctrl-C.
        """
        content = bytearray()

        def advance() -> bool:
            length = int.from_bytes(content[:HEADER], "little") + HEADER if len(content) >= HEADER else HEADER
            content.extend(os.read(self._pipes[ANSWERS], length - len(content)))
            if len(content) < HEADER:
                return False
            return len(content) == int.from_bytes(content[:HEADER], "little") + HEADER

        self._exchange(ANSWERS, advance, limit)
        return bytes(content[HEADER:])

    def close(self) -> None:
        """End the child and its descendants, and delete the folder."""
        child, self._child = self._child, None
        if child is not None:
            child.end()
        for pipe in self._pipes.values():
            os.close(pipe)
        self._pipes = {}
        shutil.rmtree(self.folder, ignore_errors=True)

    def _exchange(self, pipe: str, advance: Callable[[], bool], limit: float) -> None:
        """Call `advance` whenever a pipe is ready, until it returns True."""
        if self._child is None:
            raise EngineError(f"{self._name} has ended")
        deadline = time.monotonic() + limit
        grace: float | None = None
        with interruptions() as pressed:
            try:
                while not (self._is_ready(pipe) and advance()):
                    now = time.monotonic()
                    if pressed.is_set() and grace is None:
                        grace = now + GRACE
                    if grace is not None and now > grace:
                        raise KeyboardInterrupt
                    if not self._is_ready(pipe, wait=False):
                        self._check(now > deadline, limit)
            except BaseException:
                self.close()
                raise
        if pressed.is_set() and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)  # the owner of this block handles Ctrl-C now that there is an answer

    def _is_ready(self, pipe: str, *, wait: bool = True) -> bool:
        descriptors = [self._pipes[pipe]]
        lists = (descriptors, []) if pipe == ANSWERS else ([], descriptors)
        readable, writable, _ = select.select(*lists, [], PAUSE if wait else 0.0)
        return bool(readable or writable)

    def _check(self, is_late: bool, limit: float) -> None:
        assert self._child is not None
        if (status := self._child.poll()) is not None and not self._is_ready(ANSWERS, wait=False):
            raise EngineError(f"{self._name} ended unexpectedly ({describe_status(status)})", self._child.output)
        if is_late:
            raise EngineError(f"{self._name} did not answer within {limit:g} s and was killed", self._child.output)


def _sweep() -> None:
    """Delete the folders of owners that were killed, and kill what still runs there."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{_host()}-*"):
        owner = folder.name.split("-")[-2]
        with contextlib.suppress(OSError):
            is_own = not folder.is_symlink() and folder.lstat().st_uid == os.getuid()
            if is_own and owner.isdigit() and not psutil.pid_exists(int(owner)):
                kill_leftovers(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _host() -> str:
    """Return the name of this machine without dashes, since several machines may share the folder."""
    return socket.gethostname().replace("-", "_")
