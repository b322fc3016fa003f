"""Ctrl-C during compiled code: recorded immediately, and handled at a safe point."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequested(KeyboardInterrupt):
    """A request to stop a campaign; like Ctrl-C it is not a failure, and completed work is preserved."""


_thread_event = threading.local()


@contextmanager
def interrupted_by(event: threading.Event) -> Iterator[None]:
    """Use an event in place of Ctrl-C in this thread, which receives no signals, during a block.

    Parameters
    ----------
    event
        Event that another thread sets to stop the work.
    """
    _thread_event.event = event
    try:
        yield
    finally:
        del _thread_event.event


@contextmanager
def interruptions() -> Iterator[threading.Event]:
    """Convert SIGINT to an event during a block.

    Yields
    ------
    threading.Event
        Set once Ctrl-C is pressed. Signals can only be caught in the main thread; in other threads it is the event of
        `interrupted_by`, if any, or is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield getattr(_thread_event, "event", event)
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
