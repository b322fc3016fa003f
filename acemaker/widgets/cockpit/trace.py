"""Data of the live timeline: checks of ended segments from disk, and those of the running one as they arrive."""

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
        An open campaign.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        self._campaign = campaign
        self._ended: Timeline | None = None
        self._read: tuple[int, int] | None = None  # walker and number of segments when `_ended` was read
        self._running: list[tuple[int, float, float]] = []
        self._begun = False

    def take(self, check: Check) -> None:
        """Add a check of the running segment; after a return to a checkpoint, later checks are replaced."""
        if not self._begun:
            self._begin()
        while self._running and self._running[-1][0] >= check.step:
            self._running.pop()
        self._running.append((check.step, check.gamma_max, check.observables.get(OBSERVABLE, np.nan)))

    def curve(self) -> Curve:
        """Return the current data."""
        progress = self._campaign.progress
        walker, current = progress.walker, (progress.walker, len(progress.segments))
        if current != self._read:
            self._ended, self._read = self._campaign.timeline(walker), current
            self._running, self._begun = [], False
        if not self._begun and progress.state is State.EXPLORE:
            self._begin()
        assert self._ended is not None
        ended = self._ended
        running = np.array(list(self._running)).reshape(-1, 3)
        segments = [event for event in progress.segments if (event.get("walker") or 1) == walker]
        starts = [int(event["start_step"]) for event in segments[1:]]
        valid = np.ones(len(ended.step), dtype=bool)
        if len(running) and len(ended.step):
            starts.append(progress.step)
            valid = ended.step < progress.step
        observable = ended.observables.get(OBSERVABLE, np.full(len(ended.step), np.nan))
        return Curve(
            step=np.concatenate([ended.step[valid], running[:, 0]]),
            gamma=np.concatenate([ended.gamma_max[valid], running[:, 1]]),
            observable=np.concatenate([observable[valid], running[:, 2]]),
            starts=tuple(starts),
            halts=tuple(self._campaign.halt_points(walker)),
            walker=walker if self._campaign.n_walkers > 1 else None,
        )

    def _begin(self) -> None:
        """Read the checks of this segment by an earlier process."""
        self._begun = True
        timeline = self._campaign.running_checks()
        observable = timeline.observables.get(OBSERVABLE, np.full(len(timeline.step), np.nan))
        self._running = list(zip(timeline.step.tolist(), timeline.gamma_max.tolist(), observable.tolist(), strict=True))
