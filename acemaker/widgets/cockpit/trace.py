"""What the live timeline draws: checks of ended segments from disk, those of the running one as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acemaker.results import Timeline
from acemaker.states import State
from acemaker.widgets.live_timeline import Curve

if TYPE_CHECKING:
    from acemaker.engines.protocol import Check
    from acemaker.loop.reader import CampaignReader

OBSERVABLE = "temperature_K"


class Trace:
    """Collects the checks of a campaign.

    Parameters
    ----------
    campaign
        Open.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        self._campaign = campaign
        self._ended: Timeline | None = None
        self._read: tuple[int, int] | None = None  # the walker, and how many segments there were
        self._running: list[tuple[int, float, float]] = []
        self._begun = False

    def take(self, check: Check) -> None:
        """Take in a check of the running segment; one that went back to a checkpoint replaces what lay beyond."""
        if not self._begun:
            self._begin()
        while self._running and self._running[-1][0] >= check.step:
            self._running.pop()
        self._running.append((check.step, check.gamma_max, check.observables.get(OBSERVABLE, np.nan)))

    def curve(self) -> Curve:
        """Return all that is known."""
        progress = self._campaign.progress
        walker, there = progress.walker, (progress.walker, len(progress.segments))
        if there != self._read:
            self._ended, self._read = self._campaign.timeline(walker), there
            self._running, self._begun = [], False
        if not self._begun and progress.state is State.EXPLORE:
            self._begin()
        assert self._ended is not None
        ended = self._ended
        running = np.array(list(self._running)).reshape(-1, 3)
        own = [event for event in progress.segments if event.get("walker", 1) == walker]
        starts = [int(event["start_step"]) for event in own[1:]]
        stands = np.ones(len(ended.step), dtype=bool)
        if len(running) and len(ended.step):
            starts.append(progress.step)
            stands = ended.step < progress.step
        other = ended.observables.get(OBSERVABLE, np.full(len(ended.step), np.nan))
        return Curve(
            step=np.concatenate([ended.step[stands], running[:, 0]]),
            gamma=np.concatenate([ended.gamma_max[stands], running[:, 1]]),
            observable=np.concatenate([other[stands], running[:, 2]]),
            starts=tuple(starts),
            halts=tuple(self._campaign.halt_points(walker)),
            walker=walker if self._campaign.n_walkers > 1 else 0,
        )

    def _begin(self) -> None:
        """Read what an earlier process has checked of this segment."""
        self._begun = True
        timeline = self._campaign.running_checks()
        other = timeline.observables.get(OBSERVABLE, np.full(len(timeline.step), np.nan))
        self._running = list(zip(timeline.step.tolist(), timeline.gamma_max.tolist(), other.tolist(), strict=True))
