"""Background execution of a campaign, so that buttons respond while it is running."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from acemaker.errors import AcemakerError
from acemaker.loop.callbacks import Callback
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.formatting.record import Record
    from acemaker.loop.runner import CampaignRunner

ENDED = (State.DONE, State.FAILED)


class Driver:
    """Steps, runs and stops a campaign in a background thread.

    There is one thread at a time, which ends with its work. It is a daemon: a kernel that ends does not wait for it,
    and the campaign continues when it is opened again.

    Parameters
    ----------
    campaign
        An open campaign.
    on_check
        Called in the background thread with each check of gamma.

    Attributes
    ----------
    gate : bool
        Whether `run` pauses after each selection.
    message : str
        The last event, in one line.
    results : dict of type to Record
        The last result of each kind.
    """

    def __init__(self, campaign: CampaignRunner, on_check: Callable[[Check], None]) -> None:
        self.campaign = campaign
        self.gate = False
        self.message = ""
        self.results: dict[type[Record], Record] = {type(result): result for result in campaign.recent}
        self._thread: threading.Thread | None = None
        self._callback = Callback(on_check=on_check)
        campaign.callbacks.append(self._callback)

    @property
    def busy(self) -> bool:
        """Whether the campaign is running."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def waits(self) -> bool:
        """Whether candidates can be selected by hand now."""
        progress = self.campaign.progress
        return not self.busy and progress.state is State.LABEL and bool(progress.selections)

    def step(self) -> None:
        """Run the next state in the background."""
        self._start(1)

    def run(self) -> None:
        """Run to the end, or to the next selection by hand, in the background."""
        self._start(None)

    def stop(self) -> None:
        """Request a stop: at the next check of an exploration, otherwise after the current state."""
        if self.busy:
            self.campaign.stop()
            self.message = "stopping …"

    def choose(self, candidates: Sequence[int]) -> None:
        """Select the candidates to label; an invalid selection is reported in `message`."""
        try:
            selection = self.campaign.choose(candidates)
        except AcemakerError as error:
            self.message = str(error)
        else:
            self.results[type(selection)] = selection
            self.message = f"to be labeled: {', '.join(map(str, selection.selected))}; by hand"

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the campaign is not running, and return whether that is the case."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return not self.busy

    def close(self) -> None:
        """Stop the campaign, wait for the thread, and remove the callback."""
        self.stop()
        self.wait()
        with contextlib.suppress(ValueError):  # closed twice
            self.campaign.callbacks.remove(self._callback)

    def _start(self, n_steps: int | None) -> None:
        if self.busy:
            return
        if self.campaign.state in ENDED:
            self.message = f"no steps are left: the campaign is {self.campaign.state}"
            return
        self._thread = threading.Thread(target=self._work, args=(n_steps,), name="acemaker cockpit", daemon=True)
        self._thread.start()

    def _work(self, n_steps: int | None) -> None:
        self.message = f"{self.campaign.state} …"
        try:
            self._steps(n_steps)
        except Exception as error:  # any error of a user's engine or oracle; it is also in the journal
            self.message = f"{type(error).__name__}: {error}"
        finally:
            self._thread = None

    def _steps(self, n_steps: int | None) -> None:
        state = self.campaign.state
        for result in islice(self.campaign.steps(), n_steps):
            self.results[type(result)] = result
            self.message = result.headline()
            if n_steps is None and self.gate and state is State.SELECT:
                self.message = "select the candidates to label, then continue with Step or Run"
                return
            state = self.campaign.state
        if self.campaign.state in ENDED:
            self.message = "done: all requested steps have been run"
        elif n_steps is None:
            self.message = f"stopped; the next state is {self.campaign.state}"
