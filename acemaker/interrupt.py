"""Ctrl-C during compiled code: noted at once, acted upon where it is safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """Somebody asked a campaign to stop; like Ctrl-C it is no failure, and what was done stays done."""


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Turn SIGINT into an event for the time of a block.

    Yields
    ------
    threading.Event
        Set once Ctrl-C was pressed. Outside the main thread signals cannot be caught, and it stays unset.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
