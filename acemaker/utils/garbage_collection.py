"""Python's collector, paused while very many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the search for cycles: events hold none, and each search would look through all that have been read.

    What was made meanwhile is not looked through at the end either: it goes straight to where the collector keeps what
    is old, as everything else that is there by then.

    Yields
    ------
    None
        For a block, or a function that is decorated with it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():  # somebody else's frozen objects would come back, too
                gc.freeze()
                gc.unfreeze()  # into the oldest generation, and nothing has been traversed
            gc.enable()
