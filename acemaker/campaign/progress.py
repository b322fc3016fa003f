"""Where a campaign stands: a fold over the events of its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from acemaker.campaign.grown import Grown
from acemaker.errors import CampaignError
from acemaker.states import State, is_allowed


@dataclass(frozen=True, kw_only=True)
class LabelEntry:
    """A label that exists.

    Attributes
    ----------
    halt, candidate : int
        What was labelled.
    file : str
        Relative to the campaign's directory.
    key : str
        Hash of structure and oracle settings.
    shared : bool
        Whether it came from the store that campaigns share, and cost nothing here.
    """

    halt: int
    candidate: int
    file: str
    key: str
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Everything that decides what a campaign does next.

    Attributes
    ----------
    state : State
        The work that comes next, or an ended state.
    failed_state : State or None
        Where a reopened campaign goes on.
    error : str
        What failed.
    reason : str
        Why the guard rejected the last fit; empty if it did not.
    halt : int
        Number of the halt that is being healed, or was healed last; 0 for generation 0.
    generation : int
        The potential in use; -1 before the first.
    n_first : int
        Structures that generation 0 needs.
    step : int
        Where the next segment starts.
    frame_halt : int
        The halt before which the frame lies from which the next segment starts; 0 where it starts otherwise.
    checkpoint : str or None
        Its restart file.
    segments, halts : Grown of mappings
        The events of explored segments and halts.
    selections : tuple of mappings
        The selections of the current halt.
    dropped : mapping of str to int
        Candidates of the current halt that were made and dropped, by reason.
    embedded : str
        What the embedded anchor of the current halt is; empty where the halted structure itself is labelled.
    labels : Grown of LabelEntry
        All labels, oldest first.
    failures : mapping of int to mapping
        By candidate, of the current halt.
    labelled : tuple of int
        Candidates labelled in the last LABEL.
    groups : Grown of tuples of LabelEntry
        The labels of each training.
    errors : Grown of float or None
        meV/Å, cross-validated force error of each accepted generation.
    discarded_steps : int
        Steps that were run again after halts.
    wall : mapping of str to float
        Seconds by state.
    """

    state: State = State.LABEL
    failed_state: State | None = None
    error: str = ""
    reason: str = ""
    halt: int = 0
    generation: int = -1
    n_first: int = 0
    step: int = 0
    checkpoint: str | None = None
    frame_halt: int = 0
    segments: Grown[Mapping[str, Any]] = field(default_factory=Grown)
    halts: Grown[Mapping[str, Any]] = field(default_factory=Grown)
    selections: tuple[Mapping[str, Any], ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    embedded: str = ""
    labels: Grown[LabelEntry] = field(default_factory=Grown)
    failures: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    labelled: tuple[int, ...] = ()
    groups: Grown[tuple[LabelEntry, ...]] = field(default_factory=Grown)
    errors: Grown[float | None] = field(default_factory=Grown)
    discarded_steps: int = 0
    wall: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_labels(self) -> int:
        """Labels that were paid for: structures that the oracle was asked about once, however often used."""
        return len({entry.key for entry in self.labels})

    def apply(self, event: Mapping[str, Any]) -> Progress:
        """Return the progress after one more event.

        Parameters
        ----------
        event
            As the journal holds it. Events of unknown kinds change nothing.

        Raises
        ------
        CampaignError
            If the event cannot follow.
        """
        handler = getattr(self, f"_on_{event['event']}", None)
        return self if handler is None else handler(event)

    def apply_all(self, events: Iterable[Mapping[str, Any]]) -> Progress:
        """Return the progress after all of these events, as `apply` would one by one.

        Raises
        ------
        CampaignError
            If one of them cannot follow.
        """
        after = self
        for are_labels, some in groupby(events, key=lambda event: event["event"] == "label"):
            if are_labels:
                after = after._with(labels=after.labels.with_all(map(_entry, some)))
            else:
                for event in some:
                    after = after.apply(event)
        return after

    def _with(self, **changes: Any) -> Progress:
        """Do what `dataclasses.replace` does, which takes ten times as long: for each event of a long journal."""
        after = object.__new__(Progress)
        after.__dict__.update(self.__dict__, **changes)
        return after

    def _on_created(self, event: Mapping[str, Any]) -> Progress:
        return self._with(n_first=event["n_first"])

    def _on_label(self, event: Mapping[str, Any]) -> Progress:
        return self._with(labels=self.labels.with_end(_entry(event)))

    def _on_label_failed(self, event: Mapping[str, Any]) -> Progress:
        return self._with(failures={**self.failures, event["candidate"]: event})

    def _on_chosen(self, event: Mapping[str, Any]) -> Progress:
        chosen = {**self.selections[-1], "selected": event["selected"], "reserve": event["reserve"], "by_hand": True}
        return self._with(selections=(*self.selections[:-1], chosen))

    def _on_failed(self, event: Mapping[str, Any]) -> Progress:
        return self._with(state=State.FAILED, failed_state=State(event["state"]), error=event["message"])

    def _on_reopened(self, _event: Mapping[str, Any]) -> Progress:
        if self.failed_state is None:
            return self
        # what the oracle refused before may be tried again once the cause is mended
        return self._with(state=self.failed_state, failed_state=None, error="", failures={})

    def _on_step(self, event: Mapping[str, Any]) -> Progress:
        state, following = State(event["state"]), State(event["next"])
        if state is not self.state or not is_allowed(state, following):
            raise CampaignError(
                f"event {event['n']} of the journal goes from {state} to {following}, in state {self.state}"
            )
        wall = {**self.wall, state.value: self.wall.get(state.value, 0.0) + event.get("wall_s", 0.0)}
        after = self._with(state=following, wall=wall)
        handler = getattr(after, f"_after_{state.value.lower()}", None)
        return after if handler is None else handler(event)

    def _after_explore(self, event: Mapping[str, Any]) -> Progress:
        after = self._with(segments=self.segments.with_end(event), step=event["end_step"])
        if event["halt"] is None:
            return after
        return after._with(
            halts=self.halts.with_end(event["halt"]),
            halt=self.halt + 1,
            selections=(),
            dropped={},
            embedded="",
            failures={},
        )

    def _after_generate(self, event: Mapping[str, Any]) -> Progress:
        # older journals do not say
        return self._with(dropped=event.get("dropped", {}), embedded=event.get("embedded", ""))

    def _after_select(self, event: Mapping[str, Any]) -> Progress:
        return self._with(selections=(*self.selections, event))

    def _after_label(self, event: Mapping[str, Any]) -> Progress:
        return self._with(labelled=tuple(event["candidates"]))

    def _after_train(self, event: Mapping[str, Any]) -> Progress:
        after = self._with(groups=self.groups.with_end(self._entries(event["labels"])), reason=event["reason"])
        if not event["accepted"]:
            return after
        return after._with(generation=event["generation"], errors=self.errors.with_end(event.get("cv_forces")))

    def _entries(self, files: Sequence[str]) -> tuple[LabelEntry, ...]:
        """Find labels by their files, from the newest on: those of a training are among the last, of however many."""
        wanted, found = set(files), dict[str, LabelEntry]()
        for entry in reversed(self.labels):
            if entry.file in wanted:
                found.setdefault(entry.file, entry)
                if len(found) == len(wanted):
                    break
        return tuple(found[file] for file in files)

    def _frame_halt(self, event: Mapping[str, Any]) -> int:
        """Find where the frame lies from which a RESUME goes on: its own, or that from which the segment had begun."""
        if event["mode"] == "structure":
            return self.halt
        return self.frame_halt if event["checkpoint"] is None and event["step"] else 0

    def _after_resume(self, event: Mapping[str, Any]) -> Progress:
        return self._with(
            step=event["step"],
            checkpoint=event["checkpoint"],
            frame_halt=self._frame_halt(event),
            discarded_steps=self.discarded_steps + event["discarded_steps"],
        )


def _entry(event: Mapping[str, Any]) -> LabelEntry:
    return LabelEntry(
        halt=event["halt"],
        candidate=event["candidate"],
        file=event["file"],
        key=event["key"],
        shared=event.get("shared", False),
    )
