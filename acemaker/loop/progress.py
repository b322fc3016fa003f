"""Where a campaign stands: a fold over the events of its journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from acemaker.errors import CampaignError
from acemaker.loop.walker import Walker
from acemaker.states import State, is_allowed
from acemaker.utils.append_only import Grown

_STATES = {state.value: state for state in State}

_AFTER = {state: f"_after_{state.lower()}" for state in State}


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
    walkers : tuple of Walker
        Where each trajectory stands.
    walker : int
        Number, from 1, of the walker that explores, or whose halt is healed.
    exploring, halted : tuple of int
        Numbers of the walkers that have their segments in this round yet, and of those whose halts wait to be healed,
        in their order. Walkers go in rounds: each that has not ended explores one segment, all of them with the same
        potential, and then the halts of the round are healed one after the other. So what a campaign does does not
        depend on which of them was quicker.
    halt : int
        Number of the halt that is being healed, or was healed last; 0 for generation 0.
    generation : int
        The potential in use; -1 before the first.
    n_first : int
        Structures that generation 0 needs.
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
    n_known : int
        Halts that took no label, since those of another walker's halt had made them known.
    wall : mapping of str to float
        Seconds by state.
    """

    state: State = State.LABEL
    failed_state: State | None = None
    error: str = ""
    reason: str = ""
    walkers: tuple[Walker, ...] = (Walker(),)
    walker: int = 1
    exploring: tuple[int, ...] = (1,)
    halted: tuple[int, ...] = ()
    halt: int = 0
    generation: int = -1
    n_first: int = 0
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
    n_known: int = 0
    wall: Mapping[str, float] = field(default_factory=dict)

    @property
    def current(self) -> Walker:
        """Where the walker stands that explores, or whose halt is healed."""
        return self.walkers[self.walker - 1]

    @property
    def step(self) -> int:
        """Where its next segment starts."""
        return self.current.step

    @property
    def steps(self) -> tuple[int, ...]:
        """Where the next segment of each walker starts, or where it has ended."""
        return tuple(one.step for one in self.walkers)

    @property
    def shown_halt(self) -> int:
        """Number of the halt that is being healed, else of the last one; 0 before the first."""
        return self.current.halted or len(self.halts)

    @property
    def halted_generation(self) -> int:
        """The potential with which the run halted that is being healed; -1 before the first halt."""
        halted = (one for one in reversed(self.segments) if one["halt"] is not None)
        return next((int(one["generation"]) for one in halted if one["halt"]["number"] == self.halt), -1)

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
        draft: Progress = object.__new__(_Draft)
        draft.__dict__.update(self.__dict__)
        for are_labels, some in groupby(events, key=lambda event: event["event"] == "label"):
            if are_labels:
                draft = draft._with(labels=draft.labels.with_all(map(_entry, some)))
            else:
                for event in some:
                    draft = draft.apply(event)
        return self._with(**draft.__dict__)

    def _with(self, **changes: Any) -> Progress:
        """Do what `dataclasses.replace` does, which takes ten times as long: for each event of a long journal."""
        after = object.__new__(Progress)
        after.__dict__.update(self.__dict__, **changes)
        return after

    def _on_created(self, event: Mapping[str, Any]) -> Progress:
        n_walkers = event.get("walkers", 1)
        going = tuple(range(1, n_walkers + 1))
        return self._with(n_first=event["n_first"], walkers=(Walker(),) * n_walkers, exploring=going)

    def _on_label(self, event: Mapping[str, Any]) -> Progress:
        return self._with(labels=self.labels.with_end(_entry(event)))

    def _on_label_failed(self, event: Mapping[str, Any]) -> Progress:
        return self._with(failures={**self.failures, event["candidate"]: event})

    def _on_chosen(self, event: Mapping[str, Any]) -> Progress:
        chosen = {**self.selections[-1], "selected": event["selected"], "reserve": event["reserve"], "by_hand": True}
        return self._with(selections=(*self.selections[:-1], chosen))

    def _on_failed(self, event: Mapping[str, Any]) -> Progress:
        return self._with(state=State.FAILED, failed_state=State(event["state"]), error=event["message"])

    def _on_reopened(self, event: Mapping[str, Any]) -> Progress:
        after = self
        if self.failed_state is not None:
            # what the oracle refused before may be tried again once the cause is mended
            after = self._with(state=self.failed_state, failed_state=None, error="", failures={})
        return after._with_more_steps() if event.get("more_steps") else after

    def _with_more_steps(self) -> Progress:
        """Let walkers that have ended go on, in the next round where one is under way."""
        ended = tuple(number for number, one in enumerate(self.walkers, start=1) if one.ended)
        again = sum(self.walkers[number - 1].step - self.walkers[number - 1].last_step for number in ended)
        after = self._with(
            walkers=tuple(one.with_more_steps() for one in self.walkers), discarded_steps=self.discarded_steps + again
        )
        if self.state is State.DONE:
            return after._with(state=State.EXPLORE, exploring=ended)._turned()
        return after._with(exploring=(*self.exploring, *ended)) if self.state is State.EXPLORE else after

    def _on_step(self, event: Mapping[str, Any]) -> Progress:
        state, following = _STATES[event["state"]], _STATES[event["next"]]
        if state is not self.state or not is_allowed(state, following):
            raise CampaignError(
                f"event {event['n']} of the journal goes from {state} to {following}, in state {self.state}"
            )
        name = event["state"]
        wall = {**self.wall, name: self.wall.get(name, 0.0) + event.get("wall_s", 0.0)}
        after = self._with(state=following, wall=wall)
        handler = getattr(after, _AFTER[state], None)
        return after if handler is None else handler(event)

    def _after_explore(self, event: Mapping[str, Any]) -> Progress:
        after = self._moved(self.current.after(event))
        after = after._with(segments=self.segments.with_end(event), exploring=self.exploring[1:])
        if event["halt"] is not None:
            after = after._with(halts=self.halts.with_end(event["halt"]), halted=(*self.halted, self.walker))
        return after._turned()

    def _moved(self, walker: Walker) -> Progress:
        index = self.walker - 1
        return self._with(walkers=(*self.walkers[:index], walker, *self.walkers[index + 1 :]))

    def _turned(self) -> Progress:
        """Give the turn to the walker that explores next, or whose halt is healed next."""
        if self.state is State.EXPLORE:
            return self._with(walker=self.exploring[0])
        if self.state is not State.HALT:
            return self
        number = self.halted[0]
        halt = self.walkers[number - 1].halted
        return self._with(walker=number, halt=halt, selections=(), dropped={}, embedded="", failures={})

    def after_segment(self, *, halted: bool) -> State:
        """Tell what follows the segment that is being explored."""
        if len(self.exploring) > 1:
            return State.EXPLORE
        return State.HALT if halted or self.halted else State.DONE

    def after_healing(self) -> State:
        """Tell what follows once the halt that is being healed is healed."""
        return State.HALT if len(self.halted) > 1 else State.EXPLORE

    def _after_diagnose(self, _event: Mapping[str, Any]) -> Progress:
        return self._with(n_known=self.n_known + 1) if self.state is State.RESUME else self

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
        return self.current.frame_halt if event["checkpoint"] is None and event["step"] else 0

    def _after_resume(self, event: Mapping[str, Any]) -> Progress:
        ready = replace(
            self.current,
            step=event["step"],
            checkpoint=event["checkpoint"],
            frame_halt=self._frame_halt(event),
            halted=0,
            healed=self.halt,
        )
        after = self._moved(ready)._with(halted=self.halted[1:])
        if self.state is State.EXPLORE:  # another round
            going = tuple(number for number, one in enumerate(after.walkers, start=1) if not one.ended)
            after = after._with(exploring=going)
        return after._turned()._with(discarded_steps=self.discarded_steps + event["discarded_steps"])


class _Draft(Progress):
    """Progress that nobody else has yet: it changes itself, instead of being copied for each of very many events."""

    def _with(self, **changes: Any) -> Progress:
        self.__dict__.update(changes)
        return self


def _entry(event: Mapping[str, Any]) -> LabelEntry:
    return LabelEntry(
        halt=event["halt"],
        candidate=event["candidate"],
        file=event["file"],
        key=event["key"],
        shared=event.get("shared", False),
    )
