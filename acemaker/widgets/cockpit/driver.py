"""Drives a campaign in a thread of its own, so that buttons answer meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from acemaker.errors import AcemakerError
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.formatting.record import Record
    from acemaker.loop.runner import CampaignRunner

ENDED = (State.DONE, State.FAILED)


class Driver:
    """Steps, runs and stops a campaign; whatever it does can be done without it.

    One thread works at a time, and it ends with the work. It is a daemon: a kernel that ends does not wait for it,
    and the campaign goes on when it is opened again.

    Parameters
    ----------
    campaign
        Open.
    on_check
        Called in that thread with each check of gamma.

    Attributes
    ----------
    gate : bool
        Whether `run` waits for a person after each selection.
    message : str
        What happened last, in one line.
    results : dict of type to Record
        The last result of each kind.
    """

    def __init__(self, campaign: CampaignRunner, on_check: Callable[[Check], None]) -> None:
        self.campaign = campaign
        self.gate = False
        self.message = ""
        self.results: dict[type[Record], Record] = {type(result): result for result in campaign.recent}
        self._thread: threading.Thread | None = None
        campaign.listen(on_check)

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def waits(self) -> bool:
        """Whether a selection can be decided on now."""
        progress = self.campaign.progress
        return not self.busy and progress.state is State.LABEL and bool(progress.selections)

    def step(self) -> None:
        """Do what comes next, in the background."""
        self._start(1)

    def run(self) -> None:
        """Go on to the end, or to the next decision, in the background."""
        self._start(None)

    def stop(self) -> None:
        """Ask it to stop: in a run at the next check, else when the state is done."""
        if self.busy:
            self.campaign.stop()
            self.message = "stopping …"

    def choose(self, candidates: Sequence[int]) -> None:
        """Decide what is labelled; says what is wrong with a choice that cannot be."""
        try:
            chosen = self.campaign.choose(candidates)
        except AcemakerError as error:
            self.message = str(error)
        else:
            self.results[type(chosen)] = chosen
            self.message = f"to be labelled: {', '.join(map(str, chosen.selected))}; by hand"

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being done, and tell whether it is so."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return not self.busy

    def close(self) -> None:
        """Stop, wait for it, and stop listening."""
        self.stop()
        self.wait()
        self.campaign.listen(None)

    def _start(self, n_steps: int | None) -> None:
        if self.busy:
            return
        if self.campaign.state in ENDED:
            self.message = f"nothing is left to do: the campaign is {self.campaign.state}"
            return
        self._thread = threading.Thread(target=self._work, args=(n_steps,), name="acemaker cockpit", daemon=True)
        self._thread.start()

    def _work(self, n_steps: int | None) -> None:
        self.message = f"{self.campaign.state} …"
        try:
            self._steps(n_steps)
        except Exception as error:  # of a user's own engine or oracle, too: it is shown, and the journal has it
            self.message = f"{type(error).__name__}: {error}"
        finally:
            self._thread = None

    def _steps(self, n_steps: int | None) -> None:
        state = self.campaign.state
        for result in islice(self.campaign.steps(), n_steps):
            self.results[type(result)] = result
            self.message = result.headline()
            if n_steps is None and self.gate and state is State.SELECT:
                self.message = "which candidates shall be labelled? Then Step or Run."
                return
            state = self.campaign.state
        if self.campaign.state in ENDED:
            self.message = "done: all requested steps have been run"
        elif n_steps is None:
            self.message = f"stopped; what comes next is {self.campaign.state}"
