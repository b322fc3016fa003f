"""Ctrl-C and SIGTERM while a notebook runs: its kernel is interrupted, and killed if that does not help."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE = 8.0
"""s, between the interruption and the kill; batch systems wait ten or more before they kill everything."""


class Stop:
    """Where a running notebook's kernel is, and whether it is to stop.

    Attributes
    ----------
    signal : int or None
        The signal that came.
    kernel : int or None
        Process id of the kernel, which leads a group of its own; None before it is started.
    begun : bool
        Whether a cell has begun, so that there is something to be ended in order.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.kernel: int | None = None
        self.begun = False

    def catch(self, number: int, _: FrameType | None) -> None:
        """Take note of a signal: the first one interrupts, the second one kills."""
        at_once = self.signal is not None or not self.begun
        self.signal = number
        if self.kernel is None:
            raise KeyboardInterrupt
        self.send(signal.SIGKILL if at_once else signal.SIGINT)
        if not at_once:
            # an interruption between two cells is lost, but then the next one is not begun
            patience = threading.Timer(GRACE, self.send, [signal.SIGKILL])
            patience.daemon = True
            patience.start()

    def send(self, number: int) -> None:
        """Send a signal to the kernel and what runs in its group."""
        if self.kernel is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.kernel, number)

    def check(self, **_: object) -> None:
        """Take note that a cell is about to begin; after a signal none does.

        Raises
        ------
        KeyboardInterrupt
            If one came.
        """
        self.begun = True
        if self.signal is not None:
            raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Catch signals for the time of a block; at its end nothing of the kernel's group is left.

    Yields
    ------
    Stop
        Outside the main thread signals cannot be caught, and it stays as it is.
    """
    stop = Stop()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                before[number] = signal.signal(number, stop.catch)
    try:
        yield stop
    finally:
        stop.send(signal.SIGKILL)
        stop.kernel = None
        for number, handler in before.items():
            signal.signal(number, handler)
