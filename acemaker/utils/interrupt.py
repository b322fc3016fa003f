"""Ctrl-C during compiled code: noted at once, acted upon where it is safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(KeyboardInterrupt):
    """Somebody asked a campaign to stop; like Ctrl-C it is no failure, and what was done stays done."""


_given = threading.local()


@contextmanager
def interrupted_by(event: threading.Event) -> Iterator[None]:
    """Let an event stand for Ctrl-C in this thread, which no signal reaches, for the time of a block.

    Parameters
    ----------
    event
        Set by whoever wants the work to stop.
    """
    _given.event = event
    try:
        yield
    finally:
        del _given.event


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Turn SIGINT into an event for the time of a block.

    Yields
    ------
    threading.Event
        Set once Ctrl-C was pressed. Outside the main thread signals cannot be caught: there it is the event of
        `interrupted_by`, or stays unset.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield getattr(_given, "event", event)
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
