"""Who hears of a campaign's work, and who may interrupt it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from acemaker.errors import StateError
from acemaker.utils.interrupt import Stopped

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.loop.progress_lines import Reporter
    from acemaker.potentials.optimizer import Iteration


class Attention:
    """Passes on what goes on within a state, and a wish to stop.

    One thread is at work at a time. A wish to stop is dropped when the work ends, so that it stops nothing that is
    begun later.
    """

    def __init__(self) -> None:
        self._on_check: list[Callable[[Check], None]] = []
        self._on_iteration: list[Callable[[Iteration], None]] = []
        self._stop = threading.Event()
        self._stepping = False
        self._working = threading.Lock()

    @property
    def stop_wanted(self) -> bool:
        """Whether somebody wants the work to stop."""
        return self._stop.is_set()

    def listen(
        self, on_check: Callable[[Check], None] | None, on_iteration: Callable[[Iteration], None] | None
    ) -> None:
        """Have functions called with each check and each iteration, in the place of those before."""
        self._on_check = [] if on_check is None else [on_check]
        self._on_iteration = [] if on_iteration is None else [on_iteration]

    @contextmanager
    def heard_by(self, reporter: Reporter | None) -> Iterator[None]:
        """Let a reporter hear, too, for the time of a block."""
        before = self._on_check, self._on_iteration
        if reporter is not None:
            self._on_check = [*self._on_check, reporter.check]
            self._on_iteration = [*self._on_iteration, reporter.iteration]
        try:
            yield
        finally:
            self._on_check, self._on_iteration = before

    def check(self, check: Check) -> None:
        """Pass on a check of gamma, and stop there if that is wanted."""
        for listener in self._on_check:
            listener(check)
        self.stop_if_wanted()

    def iteration(self, iteration: Iteration) -> None:
        """Pass on an iteration of an optimiser, and stop there if that is wanted."""
        for listener in self._on_iteration:
            listener(iteration)
        self.stop_if_wanted()

    def want_stop(self) -> None:
        """Ask whoever is at work to stop; nothing happens if nobody is."""
        if self._stepping or self._working.locked():
            self._stop.set()

    def stop_if_wanted(self) -> None:
        """Stop the work, by an exception, if that is wanted.

        Raises
        ------
        Stopped
        """
        if self._stop.is_set():
            raise Stopped

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Let a wish to stop hold for all the states that a block does."""
        self._stepping = True
        try:
            yield
        finally:
            self._stepping = False
            self._stop.clear()

    @contextmanager
    def at_work(self, what: str) -> Iterator[None]:
        """Keep other threads from working for the time of a block.

        Parameters
        ----------
        what
            What is to be done, for whoever is refused.

        Raises
        ------
        StateError
            If another one is at work.
        """
        if not self._working.acquire(blocking=False):
            raise StateError(f"cannot {what} now: another thread is at work; campaign.stop() stops it")
        try:
            yield
        finally:
            self._working.release()
            if not self._stepping:
                self._stop.clear()
