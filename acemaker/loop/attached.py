"""Looking on at a campaign that another process runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from acemaker.errors import CampaignError
from acemaker.formatting.summary import Summary
from acemaker.loop.contents import check_contents
from acemaker.loop.journal import is_driven, read_events
from acemaker.loop.journaled_state import History
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import Store
from acemaker.results import Segment, Timeline
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RunningSegment(Segment):
    """A segment whose end is not written yet: so far as it was checked."""

    def headline(self) -> str:
        """Say it in one line."""
        of = f" of walker {self.walker}" if self.walker else ""
        return f"Segment {self.number}{of}: checked up to step {self.end_step}"

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        said = super().summary()
        items = (("steps", f"{self.start_step} to {self.end_step} so far"), *said.items[1:])
        return Summary(said.title, items, said.table)


class AttachedReader(CampaignReader):
    """The facts of a campaign that another process may be running: nothing is locked, and nothing is written.

    What it shows is as new as the last `refresh`, the checks of the running segment included.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory holds links.
    """

    def __init__(self, store: Store) -> None:
        check_contents(store.directory)
        self._driven = is_driven(store.journal)  # before its last line is looked for, which comes before it ends
        events, self._end = _events(store, 0, 0)
        self._n_events = len(events)
        super().__init__(store, History(events))
        self._running: Segment | None = self._read_running()

    @property
    def driven(self) -> bool:
        """Whether a process had the campaign open at the last `refresh`."""
        return self._driven

    @property
    def step(self) -> int:
        """The last step that was checked."""
        return self.progress.step if self._running is None else self._running.end_step

    @property
    def reached(self) -> tuple[int, ...]:
        """The last step of each walker that was checked."""
        steps = list(self.progress.steps)
        steps[self.progress.walker - 1] = self.step
        return tuple(steps)

    def refresh(self) -> Self:
        """Take in what has happened since.

        Returns
        -------
        Self
            This one.

        Raises
        ------
        CampaignError
            If another campaign has taken its place.
        """
        if self._store.journal.is_file() and self._store.journal.stat().st_size < self._end:
            raise CampaignError(
                f"another campaign has taken the place of the one in {self.directory}, which had no label; attach again"
            )
        self._driven = is_driven(self._store.journal)
        events, self._end = _events(self._store, self._end, self._n_events)
        self._n_events += len(events)
        for event in events:
            self._history.take(event)
        self._running = self._read_running()
        return self

    def segments(self) -> list[Segment]:
        """Read all segments, the running one at the end."""
        ended = super().segments()
        return ended if self._running is None else [*ended, self._running]

    def summary(self) -> Summary:
        """Return what the campaign says of itself."""
        said = super().summary()
        items = dict(said.items)
        if self.state not in (State.DONE, State.FAILED):
            items["process"] = "running" if self.driven else "none: it was broken off, and goes on when it is opened"
        return Summary(f"{said.title}, looked at from outside", tuple(items.items()), said.table, said.strip)

    def _checks(self, walker: int) -> tuple[list[Timeline], list[int]]:
        timelines, starts = super()._checks(walker)
        if self._running is None or walker != self.progress.walker:
            return timelines, starts
        return [*timelines, self._running.timeline], [*starts, self._running.start_step]

    def _read_running(self) -> Segment | None:
        """Read the checks of the segment that is being explored, or was broken off."""
        timeline = self.running_checks()
        if not len(timeline.step):
            return None
        return RunningSegment(
            number=len(self.progress.segments) + 1,
            generation=self.progress.generation,
            start_step=self.progress.step,
            end_step=int(timeline.step[-1]),
            timeline=timeline,
            halt=None,
            walker=self.progress.walker if self.n_walkers > 1 else 0,
        )


def _events(store: Store, start: int, number: int) -> tuple[list[dict[str, object]], int]:
    try:
        events, end = read_events(store.journal, start, number)
    except FileNotFoundError:
        events, end = [], 0
    if not end:
        raise CampaignError(
            f"there is no campaign in {store.directory}; acemaker.attach looks on once Campaign.create has made one"
        )
    return events, end
