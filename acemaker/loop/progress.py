"""The state of a campaign: a fold over the events of its journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from acemaker.errors import CampaignError
from acemaker.loop.revisions import Revisions
from acemaker.states import State, is_allowed
from acemaker.utils.append_only import AppendOnlySequence

Event = Mapping[str, Any]

PROBE = "probe"
"""Tier of a halt that tests the potential although gamma is low."""

_STATES = {state.value: state for state in State}


@dataclass(frozen=True, kw_only=True)
class Walker:
    """State of one trajectory.

    Attributes
    ----------
    step : int
        Start of its next segment, or the step at which it ended.
    checkpoint : str or None
        Restart file of that step, relative to the campaign's directory; of `last_step` if the walker has ended.
    frame_halt : int or None
        The halt whose frames contain the start of the next segment; None if it starts otherwise.
    ended : bool
        Whether it has reached the requested steps.
    halted : int or None
        Number of its halt that waits to be healed.
    healed : int or None
        Number of its halt that was healed last.
    last_halt_step : int or None
        MD step of its last halt.
    n_segments : int
        Number of explored segments.
    generation : int or None
        The potential of its last segment; None before the first.
    last_step : int
        The step from which an ended walker continues if more steps are requested.
    probed : int or None
        MD step of its last probe that was labeled; None before the first.
    uncertainty : float or None
        Largest uncertainty of the atoms of the structure that was labeled last, by the potential that was trained on
        it, meV/Å; None before the first, or if it is not measured.
    """

    step: int = 0
    checkpoint: str | None = None
    frame_halt: int | None = None
    ended: bool = False
    halted: int | None = None
    healed: int | None = None
    last_halt_step: int | None = None
    n_segments: int = 0
    generation: int | None = None
    last_step: int = 0
    probed: int | None = None
    uncertainty: float | None = None

    def after(self, segment: Event) -> Walker:
        """Return the state after a segment has been explored.

        Parameters
        ----------
        segment
            The segment's event.
        """
        common = {"step": segment["end_step"], "n_segments": self.n_segments + 1, "generation": segment["generation"]}
        if (halt := segment["halt"]) is not None:
            last = self.last_halt_step if halt["tier"] == PROBE else halt["step"]
            return replace(self, **common, halted=halt["number"], last_halt_step=last)
        if (last := segment.get("last_checkpoint")) is None:
            return replace(self, **common, ended=True, last_step=segment["start_step"])
        return replace(self, **common, ended=True, last_step=last["step"], checkpoint=last["file"], frame_halt=None)

    def with_more_steps(self) -> Walker:
        """Return the state in which an ended walker continues."""
        return replace(self, step=self.last_step, ended=False) if self.ended else self


@dataclass(frozen=True, kw_only=True)
class LabelEntry:
    """The journal's entry of a label.

    Attributes
    ----------
    halt : int or None
        The halt for which it was computed; None for an initial structure.
    candidate : int
        Its number among the candidates.
    file : str
        Relative to the campaign's directory.
    key : str
        Hash of structure and oracle settings.
    shared : bool
        Whether it is from the label store that campaigns share, and was not computed here.
    own : bool
        Whether the user supplied the results, so that it is not counted in ``max_labels``.
    addition : int or None
        Number of the call of `add` or `relabel` that it is from; None for all other labels.
    sum : str
        Checksum of its file when it was written; empty in older campaigns.
    settings : str
        Digest of the oracle's settings; empty for those with which the campaign was created.
    """

    halt: int | None
    candidate: int
    file: str
    key: str
    shared: bool = False
    own: bool = False
    addition: int | None = None
    sum: str = ""
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Everything that decides what a campaign does next.

    Attributes
    ----------
    state : State
        The work that comes next, or ``DONE`` or ``FAILED``.
    failed_state : State or None
        The state with which a failed campaign continues when it is opened again.
    error : str
        Message of the error that made the campaign fail.
    reason : str
        Why the guard rejected the last fit; empty if it did not.
    walkers : tuple of Walker
        State of each trajectory.
    walker : int
        Number, from 1, of the walker that explores, or whose halt is healed.
    exploring, halted : tuple of int
        Numbers of the walkers whose segments in this round are not explored yet, and of those whose halts wait to be
        healed, in order. Walkers go in rounds: each walker that has not ended explores one segment, all of them with
        the same potential; then the halts of the round are healed one after the other. The order of the work thus does
        not depend on the speed of the walkers.
    halt : int or None
        Number of the halt that is being healed, or was healed last; None before the first.
    generation : int or None
        Number, from 1, of the potential in use; None before the first.
    n_first : int
        Number of structures that the first generation needs.
    segments, halts : AppendOnlySequence of mappings
        The events of explored segments and halts.
    selections : tuple of mappings
        The selections of the current halt.
    dropped : mapping of str to int
        Numbers of dropped candidates of the current halt by reason.
    embedded : str
        Description of the embedded cell of the current halt; empty if the halted structure itself is labeled.
    labels : AppendOnlySequence of LabelEntry
        All labels, oldest first.
    isolated : mapping of str to mapping
        Events of the labels of isolated atoms by element; they are not among `labels`.
    isolated_failures : mapping of str to str
        Why the isolated atom of an element has no label, by element.
    failures : mapping of int to mapping
        Events of the failed labels of the current halt by candidate.
    labeled : tuple of int
        Candidates labeled in the last LABEL.
    groups : AppendOnlySequence of tuples of LabelEntry
        The labels of each training.
    errors : AppendOnlySequence of float or None
        meV/Å, cross-validated force error of each accepted generation.
    discarded_steps : int
        Number of steps that were run again after halts.
    n_known : int
        Number of halts that needed no label, because the labels of another walker's halt were sufficient.
    wall : mapping of str to float
        Seconds by state.
    oracle_files : mapping of str to str
        Digests of the oracle's files by name.
    trial_seconds : float or None
        Time of a label in a trial before the campaign was created; None if there was none.
    probes : tuple of mappings
        Errors of the potentials on the probes that they were not trained on, in order, see
        `acemaker.loop.probes.measure`, each with ``halt``, ``step`` and ``walker``.
    left_out : mapping of str to mapping
        Errors of the latest potential on the probes if it were trained without them, by number of the halt; empty if
        the trainer does not tell them.
    training_error : float or None
        Force error of the latest potential on its own labels, meV/Å; None if it is unknown.
    compared_bases : bool
        Whether the basis of the latest potential was chosen by a comparison on the labels.
    committee : mapping or None
        Event of the committee that was trained last.
    revisions : Revisions
        Changes by hand: labels that were added, removed or computed again, and other settings.
    settings, first_settings : str
        Digest of the oracle's settings, empty until they are changed; that of the settings at the creation, which is
        recorded with the first change.
    first_labels : mapping
        Labels that existed before the campaign, as from `acemaker.results.FirstLabels`; empty if there were none.
    """

    state: State = State.LABEL
    failed_state: State | None = None
    error: str = ""
    reason: str = ""
    walkers: tuple[Walker, ...] = (Walker(),)
    walker: int = 1
    exploring: tuple[int, ...] = (1,)
    halted: tuple[int, ...] = ()
    halt: int | None = None
    generation: int | None = None
    n_first: int = 0
    segments: AppendOnlySequence[Event] = field(default_factory=AppendOnlySequence)
    halts: AppendOnlySequence[Event] = field(default_factory=AppendOnlySequence)
    selections: tuple[Event, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    embedded: str = ""
    labels: AppendOnlySequence[LabelEntry] = field(default_factory=AppendOnlySequence)
    isolated: Mapping[str, Event] = field(default_factory=dict)
    isolated_failures: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[int, Event] = field(default_factory=dict)
    labeled: tuple[int, ...] = ()
    groups: AppendOnlySequence[tuple[LabelEntry, ...]] = field(default_factory=AppendOnlySequence)
    errors: AppendOnlySequence[float | None] = field(default_factory=AppendOnlySequence)
    discarded_steps: int = 0
    n_known: int = 0
    wall: Mapping[str, float] = field(default_factory=dict)
    oracle_files: Mapping[str, str] = field(default_factory=dict)
    trial_seconds: float | None = None
    probes: tuple[Event, ...] = ()
    left_out: Mapping[str, Event] = field(default_factory=dict)
    training_error: float | None = None
    compared_bases: bool = False
    committee: Event | None = None
    revisions: Revisions = field(default_factory=Revisions)
    settings: str = ""
    first_settings: str = ""
    first_labels: Event = field(default_factory=dict)

    @property
    def current(self) -> Walker:
        """State of the walker that explores, or whose halt is healed."""
        return self.walkers[self.walker - 1]

    @property
    def step(self) -> int:
        """Start of its next segment."""
        return self.current.step

    @property
    def steps(self) -> tuple[int, ...]:
        """Start of the next segment of each walker, or the step at which it ended."""
        return tuple(walker.step for walker in self.walkers)

    @property
    def shown_halt(self) -> int | None:
        """Number of the halt that is being healed, else of the last one; None before the first."""
        return self.current.halted or len(self.halts) or None

    @property
    def halted_generation(self) -> int | None:
        """The potential of the segment whose halt is being healed; None before the first halt."""
        for segment in reversed(self.segments):
            if segment["halt"] is not None and segment["halt"]["number"] == self.halt:
                return int(segment["generation"])
        return None

    @property
    def n_probes(self) -> int:
        """Number of halts for probes."""
        return sum(halt["tier"] == PROBE for halt in self.halts)

    @property
    def n_halts(self) -> int:
        """Number of halts due to a large gamma, which probes are not."""
        return len(self.halts) - self.n_probes

    @property
    def is_probe(self) -> bool:
        """Whether the halt that is being healed is for a probe."""
        return self.halt is not None and self.halts[self.halt - 1]["tier"] == PROBE

    @property
    def n_labels(self) -> int:
        """Number of labels: structures that were labeled once, however often they are used."""
        return len({entry.key for entry in self.labels})

    @property
    def n_charged(self) -> int:
        """Number of labels that count in ``max_labels``, also if they were removed or replaced."""
        return sum(not entry.own for entry in self.labels) + self.revisions.n_replaced

    @property
    def all_labels(self) -> Sequence[LabelEntry]:
        """All labels, including removed and replaced ones."""
        return (*(self.revisions.places or self.labels), *self.revisions.versions.values())

    def apply(self, event: Event) -> Progress:
        """Return the progress after one more event.

        Parameters
        ----------
        event
            As in the journal. Events of unknown kinds change nothing.

        Raises
        ------
        CampaignError
            If the event cannot follow.
        """
        handler = _ON_EVENT.get(event["event"])
        return self if handler is None else handler(self, event)

    def apply_all(self, events: Iterable[Event]) -> Progress:
        """Return the progress after all of these events, as `apply` would one by one.

        Raises
        ------
        CampaignError
            If one of them cannot follow.
        """
        draft: Progress = object.__new__(_Draft)
        draft.__dict__.update(self.__dict__)
        for are_labels, group in groupby(events, key=lambda event: event["event"] == "label"):
            if are_labels:
                draft = _with_labels(draft, list(group))
            else:
                for event in group:
                    draft = draft.apply(event)
        return self.with_changes(**draft.__dict__)

    def with_changes(self, **changes: Any) -> Progress:
        """Return a copy with other values of some fields, ten times as fast as `dataclasses.replace`."""
        after = object.__new__(Progress)
        after.__dict__.update(self.__dict__, **changes)
        return after

    def after_segment(self, *, halted: bool) -> State:
        """Return the state that follows the segment that is being explored."""
        if len(self.exploring) > 1:
            return State.EXPLORE
        return State.HALT if halted or self.halted else State.DONE

    def after_healing(self) -> State:
        """Return the state that follows once the current halt is healed."""
        return State.HALT if len(self.halted) > 1 else State.EXPLORE


class _Draft(Progress):
    """Progress that is changed in place instead of being copied for each of very many events."""

    def with_changes(self, **changes: Any) -> Progress:
        self.__dict__.update(changes)
        return self


def _label_entry(event: Event, settings: str = "") -> LabelEntry:
    return LabelEntry(
        halt=event["halt"],
        candidate=event["candidate"],
        file=event["file"],
        key=event["key"],
        shared=event.get("shared", False),
        own=event.get("own", False),
        addition=event.get("addition"),
        sum=event.get("sum", ""),
        settings=settings,
    )


def _with_labels(progress: Progress, events: Sequence[Event]) -> Progress:
    entries = [_label_entry(event, progress.settings) for event in events]
    after = progress.with_changes(labels=progress.labels.with_all(entries))
    revisions = progress.revisions
    if revisions.places is None:
        return after
    return after.with_changes(revisions=replace(revisions, places=(*revisions.places, *entries)))


def _on_created(progress: Progress, event: Event) -> Progress:
    n_walkers = event.get("walkers", 1)
    exploring = tuple(range(1, n_walkers + 1))
    return progress.with_changes(
        n_first=event["n_first"],
        walkers=(Walker(),) * n_walkers,
        exploring=exploring,
        oracle_files=event.get("oracle_files", {}),
        trial_seconds=event.get("trial_s"),
        first_labels=event.get("first_labels", {}),
    )


def _on_label(progress: Progress, event: Event) -> Progress:
    return _with_labels(progress, [event])


def _on_label_failed(progress: Progress, event: Event) -> Progress:
    if "addition" in event:
        failures = {**progress.revisions.failures, event["candidate"]: event}
        return progress.with_changes(revisions=replace(progress.revisions, failures=failures))
    return progress.with_changes(failures={**progress.failures, event["candidate"]: event})


def _on_isolated_atom(progress: Progress, event: Event) -> Progress:
    event = {**event, "settings": progress.settings}
    revisions = progress.revisions
    versions = {old["file"]: old for old in progress.isolated.values()} | {**revisions.isolated, event["file"]: event}
    after = progress.with_changes(isolated={**progress.isolated, event["element"]: event})
    return after.with_changes(revisions=replace(revisions, isolated=versions)) if "addition" in event else after


def _on_isolated_atom_failed(progress: Progress, event: Event) -> Progress:
    failures = {**progress.isolated_failures, event["element"]: event["cause"]}
    return progress.with_changes(isolated_failures=failures)


def _on_committee(progress: Progress, event: Event) -> Progress:
    return progress.with_changes(committee=event)


def _on_chosen(progress: Progress, event: Event) -> Progress:
    chosen = {**progress.selections[-1], "selected": event["selected"], "reserve": event["reserve"], "by_hand": True}
    return progress.with_changes(selections=(*progress.selections[:-1], chosen))


def _on_failed(progress: Progress, event: Event) -> Progress:
    return progress.with_changes(state=State.FAILED, failed_state=State(event["state"]), error=event["message"])


def _on_reopened(progress: Progress, event: Event) -> Progress:
    after = progress
    if progress.failed_state is not None:
        # structures that the oracle refused before may be tried again, since the cause may be fixed
        after = progress.with_changes(state=progress.failed_state, failed_state=None, error="", failures={})
        if progress.generation is None:
            after = after.with_changes(isolated_failures={})
    if "oracle_files" in event:
        after = after.with_changes(oracle_files=event["oracle_files"])
    if "oracle_settings" in event:
        old, new = event["oracle_settings"]
        first = after.first_settings or old
        after = after.with_changes(first_settings=first, settings="" if new == first else new)
    after = with_cuts(after, event.get("cuts", ()))
    if event.get("changes"):
        after = _with_change(after, {"changes": event["changes"]})
    return _with_more_steps(after) if event.get("more_steps") else after


def _on_step(progress: Progress, event: Event) -> Progress:
    state, following = _STATES[event["state"]], _STATES[event["next"]]
    if state is not progress.state or not is_allowed(state, following):
        raise CampaignError(
            f"event {event['n']} of the journal goes from {state} to {following}, in state {progress.state}"
        )
    name = event["state"]
    wall = {**progress.wall, name: progress.wall.get(name, 0.0) + event.get("wall_s", 0.0)}
    after = progress.with_changes(state=following, wall=wall)
    handler = _AFTER_STATE.get(state)
    return after if handler is None else handler(after, event)


def _after_explore(progress: Progress, event: Event) -> Progress:
    after = _with_current(progress, progress.current.after(event))
    after = after.with_changes(segments=progress.segments.with_end(event), exploring=progress.exploring[1:])
    if event["halt"] is not None:
        halted = (*progress.halted, progress.walker)
        after = after.with_changes(halts=progress.halts.with_end(event["halt"]), halted=halted)
    return _with_next_walker(after)


def _after_diagnose(progress: Progress, _event: Event) -> Progress:
    return progress.with_changes(n_known=progress.n_known + 1) if progress.state is State.RESUME else progress


def _after_generate(progress: Progress, event: Event) -> Progress:
    return progress.with_changes(dropped=event["dropped"], embedded=event["embedded"])


def _after_select(progress: Progress, event: Event) -> Progress:
    return progress.with_changes(selections=(*progress.selections, event))


def _after_label(progress: Progress, event: Event) -> Progress:
    return progress.with_changes(labeled=tuple(event["candidates"]))


def _after_train(progress: Progress, event: Event) -> Progress:
    groups, start = progress.groups, 0
    for size in event.get("groups", [len(event["labels"])]):  # several if another campaign's potential was repeated
        groups = groups.with_end(_entries(progress, event["labels"][start : start + size]))
        start += size
    after = progress.with_changes(groups=groups, reason=event["reason"])
    if (revisions := progress.revisions).groups is not None:
        places = _places(progress, event["labels"])
        after = after.with_changes(revisions=replace(revisions, groups=(*revisions.groups, places)))
    if (measured := event.get("probe")) is not None:
        after = after.with_changes(probes=(*progress.probes, measured))
        if after.revisions.is_begun:
            every = (*after.revisions.probes, measured)
            after = after.with_changes(revisions=replace(after.revisions, probes=every))
    if not event["accepted"]:
        return after
    errors = progress.errors.with_end(event["cv_forces"])
    if event.get("is_new_basis"):
        after = _without_floors(after)
    if (uncertainty := event.get("uncertainty")) is not None:
        after = _with_current(after, replace(after.current, uncertainty=uncertainty))
    return after.with_changes(
        generation=event["generation"],
        errors=errors,
        left_out=event.get("left_out", {}),
        training_error=event.get("train_forces"),
        compared_bases=event.get("compared_bases", False),
    )


def _after_resume(progress: Progress, event: Event) -> Progress:
    probed = progress.current.probed
    if progress.is_probe:
        probed = progress.halts[-1 if progress.halt is None else progress.halt - 1]["step"]
    resumed = replace(
        progress.current,
        step=event["step"],
        checkpoint=event["checkpoint"],
        frame_halt=_frame_halt(progress, event),
        halted=None,
        healed=progress.halt,
        probed=probed,
    )
    discarded_steps = progress.discarded_steps + event["discarded_steps"]
    after = _with_current(progress, resumed).with_changes(halted=progress.halted[1:])
    if after.state is State.EXPLORE:  # the next round
        exploring = tuple(number for number, walker in enumerate(after.walkers, start=1) if not walker.ended)
        after = after.with_changes(exploring=exploring)
    return _with_next_walker(after).with_changes(discarded_steps=discarded_steps)


def with_cuts(progress: Progress, cuts: Iterable[Event]) -> Progress:
    """End segments that were interrupted at checkpoints, from which their walkers continue in new segments.

    Parameters
    ----------
    progress
        State of the campaign.
    cuts
        Events of the segments, in the order of their numbers.
    """
    segments, walkers = progress.segments, list(progress.walkers)
    for cut in cuts:
        segments = segments.with_end({"halt": None, "next": State.EXPLORE.value, **cut})
        index = (cut["walker"] or 1) - 1
        walkers[index] = replace(
            walkers[index],
            step=cut["end_step"],
            checkpoint=cut["checkpoint"],
            frame_halt=None,
            n_segments=walkers[index].n_segments + 1,
            generation=cut["generation"],
        )
    return progress.with_changes(segments=segments, walkers=tuple(walkers))


def _with_change(progress: Progress, change: Event) -> Progress:
    """Record what was changed, and the steps of the walkers at that time."""
    recorded = {"steps": progress.steps, "generation": progress.generation, **change}
    revisions = replace(progress.revisions, changes=(*progress.revisions.changes, recorded))
    return progress.with_changes(revisions=revisions)


def _begun(progress: Progress) -> Progress:
    revisions = progress.revisions.begun(progress.labels, progress.groups, progress.probes)
    return progress.with_changes(revisions=revisions)


def _with_labels_in_force(progress: Progress, revisions: Revisions) -> Progress:
    """Return the state with the labels, groups and probes that are in force after a change."""
    places = revisions.places or ()
    groups = (revisions.current(group) for group in revisions.groups or ())
    return progress.with_changes(
        revisions=revisions,
        labels=AppendOnlySequence(revisions.current(places)),
        groups=AppendOnlySequence(group for group in groups if group),
        probes=revisions.current_probes(places),
    )


def _on_removed(progress: Progress, event: Event) -> Progress:
    after = _begun(progress)
    revisions = after.revisions
    for file in event["files"]:
        revisions = revisions.with_version(file, None)
    reasons = dict(revisions.reasons)
    for file in event["files"]:
        reasons[file] = event["reason"]
    after = _with_labels_in_force(after, replace(revisions, reasons=reasons, is_refit_due=True))
    return _with_change(after, {"removed": event["files"], "reason": event["reason"]})


def _on_restored(progress: Progress, event: Event) -> Progress:
    after = _begun(progress)
    revisions, isolated = after.revisions, dict(after.isolated)
    for file in event["files"]:
        if (version := revisions.isolated.get(file)) is not None:
            isolated[version["element"]] = version
        else:
            revisions = revisions.with_version(file, revisions.entry(file))
    after = _with_labels_in_force(after, replace(revisions, is_refit_due=True)).with_changes(isolated=isolated)
    return _with_change(after, {"restored": event["files"]})


def _on_adding(progress: Progress, event: Event) -> Progress:
    after = _begun(progress)
    number = after.revisions.n_pending + 1
    return after.with_changes(revisions=replace(after.revisions, pending=event, failures={}, n_pending=number))


def _on_relabeled(progress: Progress, event: Event) -> Progress:
    revisions = progress.revisions
    old = revisions.entry(event["of"])
    if old is None:
        raise CampaignError(f"event {event['n']} of the journal replaces {event['of']}, which is no label")
    new = replace(_label_entry({**event, "halt": old.halt, "candidate": old.candidate}, progress.settings), own=False)
    revisions = revisions.with_version(event["of"], new)
    if (measured := event.get("probe")) is not None:
        revisions = replace(revisions, remeasured={**revisions.remeasured, new.file: measured})
    return _with_labels_in_force(progress, replace(revisions, is_refit_due=True))


def _on_refit(progress: Progress, event: Event) -> Progress:
    """End a change of labels: the potential in use is that of the labels in force, or nothing was changed."""
    revisions, pending = progress.revisions, progress.revisions.pending
    after = with_cuts(progress, event.get("cuts", ()))
    if added := tuple(event["labels"]):
        places = _places(after, added)
        revisions = replace(revisions, groups=(*(revisions.groups or ()), places))
    revisions = replace(revisions, pending=None, is_refit_due=False)
    after = _with_labels_in_force(after, revisions)
    if pending is not None:
        kind = "added" if pending["event"] == "adding" else "relabeled"
        after = _with_change(after, {kind: event["done"]})
    elif event.get("cuts") and revisions.changes:  # of labels that were removed or restored just before
        *earlier, last = after.revisions.changes
        changes = (*earlier, {**last, "steps": after.steps})
        after = after.with_changes(revisions=replace(after.revisions, changes=changes))
    if event.get("generation") is None:
        return after
    return _without_floors(after).with_changes(
        generation=event["generation"],
        errors=progress.errors.with_end(event["cv_forces"]),
        left_out=event.get("left_out", {}),
        training_error=event.get("train_forces"),
        wall={**after.wall, "TRAIN": after.wall.get("TRAIN", 0.0) + event.get("wall_s", 0.0)},
    )


def _without_floors(progress: Progress) -> Progress:
    """Remove the uncertainties that an earlier potential could not reach, which do not hold for another one."""
    return progress.with_changes(walkers=tuple(replace(walker, uncertainty=None) for walker in progress.walkers))


def _with_more_steps(progress: Progress) -> Progress:
    """Let ended walkers continue, in the next round if one is under way."""
    ended = tuple(number for number, walker in enumerate(progress.walkers, start=1) if walker.ended)
    repeated = sum(progress.walkers[number - 1].step - progress.walkers[number - 1].last_step for number in ended)
    after = progress.with_changes(
        walkers=tuple(walker.with_more_steps() for walker in progress.walkers),
        discarded_steps=progress.discarded_steps + repeated,
    )
    if after.state is State.DONE:
        return _with_next_walker(after.with_changes(state=State.EXPLORE, exploring=ended))
    if after.state is State.EXPLORE:
        return after.with_changes(exploring=(*after.exploring, *ended))
    return after


def _with_current(progress: Progress, walker: Walker) -> Progress:
    index = progress.walker - 1
    return progress.with_changes(walkers=(*progress.walkers[:index], walker, *progress.walkers[index + 1 :]))


def _with_next_walker(progress: Progress) -> Progress:
    """Set the walker that explores next, or whose halt is healed next."""
    if progress.state is State.EXPLORE:
        return progress.with_changes(walker=progress.exploring[0])
    if progress.state is not State.HALT:
        return progress
    number = progress.halted[0]
    halt = progress.walkers[number - 1].halted
    return progress.with_changes(walker=number, halt=halt, selections=(), dropped={}, embedded="", failures={})


def _places(progress: Progress, files: Sequence[str]) -> tuple[LabelEntry, ...]:
    """Return the first versions of labels by the files of any version."""
    place_of = progress.revisions.place_of
    places = {entry.file: entry for entry in progress.revisions.places or ()}
    return tuple(places[place_of.get(file, file)] for file in files)


def _entries(progress: Progress, files: Sequence[str]) -> tuple[LabelEntry, ...]:
    """Find labels by their files, the newest first: the labels of a training are among the last ones."""
    missing, entries = set(files), dict[str, LabelEntry]()
    for entry in reversed(progress.labels):
        if entry.file in missing:
            missing.discard(entry.file)
            entries[entry.file] = entry
            if not missing:
                break
    return tuple(entries[file] for file in files)


def _frame_halt(progress: Progress, event: Event) -> int | None:
    """Return the halt whose frames contain the start of the next segment, if a frame is where it starts."""
    if event["mode"] == "structure":
        return progress.halt
    return progress.current.frame_halt if event["checkpoint"] is None and event["step"] else None


Handler = Callable[[Progress, Event], Progress]

_ON_EVENT: dict[str, Handler] = {
    "created": _on_created,
    "label": _on_label,
    "label_failed": _on_label_failed,
    "isolated_atom": _on_isolated_atom,
    "isolated_atom_failed": _on_isolated_atom_failed,
    "committee": _on_committee,
    "chosen": _on_chosen,
    "failed": _on_failed,
    "reopened": _on_reopened,
    "label_removed": _on_removed,
    "label_restored": _on_restored,
    "adding": _on_adding,
    "relabeling": _on_adding,
    "relabeled": _on_relabeled,
    "refit": _on_refit,
    "step": _on_step,
}
"""Handlers of events."""

_AFTER_STATE: dict[State, Handler] = {
    State.EXPLORE: _after_explore,
    State.DIAGNOSE: _after_diagnose,
    State.GENERATE: _after_generate,
    State.SELECT: _after_select,
    State.LABEL: _after_label,
    State.TRAIN: _after_train,
    State.RESUME: _after_resume,
}
"""Handlers of the event ``step``, by the completed state."""
