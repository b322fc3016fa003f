"""Callbacks that a campaign calls while it works, and the control with which another thread stops it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from acemaker.errors import StateError
from acemaker.utils.interrupt import StopRequested

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.formatting.record import Record
    from acemaker.labeling.request import CollectedLabel
    from acemaker.potentials.optimizer import Iteration


class Callback:
    """Functions that a campaign calls while it works: pass functions, or override methods in a subclass.

    They are called in the thread that runs the campaign, and must be fast, since the engine waits for them.

    Parameters
    ----------
    on_check
        Called with each check of gamma.
    on_iteration
        Called with each iteration of an optimizer, if the trainer has one.
    on_label
        Called with each label as soon as it is stored.
    on_result
        Called with the result of each completed state.

    Examples
    --------
    >>> from acemaker import Callback
    >>> gammas = []
    >>> callback = Callback(on_check=lambda check: gammas.append(check.gamma_max))

    Pass it to ``Campaign.create(..., callbacks=[callback])``, or append it to ``campaign.callbacks`` later.
    """

    def __init__(
        self,
        *,
        on_check: Callable[[Check], object] | None = None,
        on_iteration: Callable[[Iteration], object] | None = None,
        on_label: Callable[[CollectedLabel], object] | None = None,
        on_result: Callable[[Record], object] | None = None,
    ) -> None:
        self._check, self._iteration, self._label, self._result = on_check, on_iteration, on_label, on_result

    def on_check(self, check: Check) -> None:
        """Receive a check of gamma."""
        if self._check is not None:
            self._check(check)

    def on_iteration(self, iteration: Iteration) -> None:
        """Receive an iteration of an optimizer."""
        if self._iteration is not None:
            self._iteration(iteration)

    def on_label(self, label: CollectedLabel) -> None:
        """Receive a label."""
        if self._label is not None:
            self._label(label)

    def on_result(self, record: Record) -> None:
        """Receive the result of a state."""
        if self._result is not None:
            self._result(record)


class WorkControl:
    """Lets one thread work at a time, and other threads request that it stops.

    A request to stop is cleared when the work ends, so that it does not stop later work.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._stepping = False
        self._working = threading.Lock()

    @property
    def stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def request_stop(self) -> None:
        """Request that the working thread stops; without one, nothing happens."""
        if self._stepping or self._working.locked():
            self._stop.set()

    def stop_if_requested(self) -> None:
        """Raise an exception that ends the work, if a stop was requested.

        Raises
        ------
        StopRequested
        """
        if self._stop.is_set():
            raise StopRequested

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Apply a request to stop to all states that run within a block."""
        self._stepping = True
        try:
            yield
        finally:
            self._stepping = False
            self._stop.clear()

    @contextmanager
    def at_work(self, work: str) -> Iterator[None]:
        """Prevent other threads from working within a block.

        Parameters
        ----------
        work
            Name of the work, for the error message.

        Raises
        ------
        StateError
            If another thread is at work.
        """
        if not self._working.acquire(blocking=False):
            raise StateError(f"cannot {work} now: another thread is at work; campaign.stop() stops it")
        try:
            yield
        finally:
            self._working.release()
            if not self._stepping:
                self._stop.clear()
