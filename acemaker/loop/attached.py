"""Reading a campaign that another process runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from acemaker.errors import CampaignError
from acemaker.formatting.summary import Summary
from acemaker.loop.journal import read_events
from acemaker.loop.journaled_state import History
from acemaker.loop.lock import is_locked
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import Store, check_contents
from acemaker.results import Segment, Timeline
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RunningSegment(Segment):
    """A segment that has not ended, up to its last check."""

    def headline(self) -> str:
        """Return a one-line description."""
        of_walker = f" of walker {self.walker}" if self.walker else ""
        return f"Segment {self.number}{of_walker}: checked up to step {self.end_step}"

    def summary(self) -> Summary:
        """Return the summary."""
        summary = super().summary()
        items = (("steps", f"{self.start_step} to {self.end_step} so far"), *summary.items[1:])
        return Summary(summary.title, items, summary.table)


class AttachedReader(CampaignReader):
    """A campaign that another process may be running, read without locking or writing anything.

    It contains everything up to the last `refresh`, including the checks of the running segment.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory contains links.
    """

    def __init__(self, store: Store) -> None:
        check_contents(store.directory)
        self._is_running = is_locked(store.directory)  # before reading: a process writes its last line before it ends
        events, self._end = _events(store, 0, 0)
        self._n_events = len(events)
        super().__init__(store, History(events))
        self._running: Segment | None = self._read_running()

    @property
    def is_running(self) -> bool:
        """Whether a process had the campaign open at the last `refresh`."""
        return self._is_running

    @property
    def md_step(self) -> int:
        """The last checked step of the walker that explores."""
        return self.progress.step if self._running is None else self._running.end_step

    @property
    def reached_steps(self) -> tuple[int, ...]:
        """The last checked step of each walker."""
        steps = list(self.progress.steps)
        steps[self.progress.walker - 1] = self.md_step
        return tuple(steps)

    def refresh(self) -> Self:
        """Read what has happened since the last refresh.

        Returns
        -------
        AttachedReader
            This reader.

        Raises
        ------
        CampaignError
            If another campaign has replaced this one.
        """
        if self._store.journal.is_file() and self._store.journal.stat().st_size < self._end:
            raise CampaignError(
                f"the campaign in {self.directory}, which had failed, was replaced by another one; attach again"
            )
        self._is_running = is_locked(self.directory)
        events, self._end = _events(self._store, self._end, self._n_events)
        self._n_events += len(events)
        for event in events:
            self._history.apply(event)
        self._running = self._read_running()
        return self

    def segments(self) -> list[Segment]:
        """Read all segments, including the running one."""
        ended = super().segments()
        return ended if self._running is None else [*ended, self._running]

    def summary(self) -> Summary:
        """Return the summary."""
        summary = super().summary()
        items = dict(summary.items)
        if self.state not in (State.DONE, State.FAILED):
            items["process"] = "running" if self.is_running else "none; open the campaign to continue it"
        return Summary(f"{summary.title} (attached)", tuple(items.items()), summary.table, summary.strip)

    def _checks(self, walker: int) -> tuple[list[Timeline], list[int]]:
        timelines, starts = super()._checks(walker)
        if self._running is None or walker != self.progress.walker:
            return timelines, starts
        return [*timelines, self._running.timeline], [*starts, self._running.start_step]

    def _read_running(self) -> Segment | None:
        """Read the checks of the segment that is being explored, or was interrupted."""
        timeline = self.running_checks()
        generation = self.progress.generation
        if not len(timeline.step) or generation is None:
            return None
        return RunningSegment(
            number=len(self.progress.segments) + 1,
            generation=generation,
            start_step=self.progress.step,
            end_step=int(timeline.step[-1]),
            timeline=timeline,
            halt=None,
            walker=self.progress.walker if self.n_walkers > 1 else None,
        )


def _events(store: Store, start: int, number: int) -> tuple[list[dict[str, object]], int]:
    try:
        events, end = read_events(store.journal, start, number)
    except FileNotFoundError:
        events, end = [], 0
    if not end:
        raise CampaignError(
            f"there is no campaign in {store.directory}; create it with Campaign.create before acemaker.attach"
        )
    return events, end
