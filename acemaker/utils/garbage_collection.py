"""Pausing Python's garbage collection while very many long-lived objects are created."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the search for reference cycles, which events do not contain.

    Each search would traverse all events read so far. At the end, all existing objects are moved directly to the oldest
    generation of the collector, without being traversed.

    Yields
    ------
    None
        Use as a context manager or as a decorator.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():  # objects frozen by other code must remain frozen
                gc.freeze()
                gc.unfreeze()  # moves all objects to the oldest generation without traversing them
            gc.enable()
