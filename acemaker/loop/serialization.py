"""Results of completed steps, read back from the campaign's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.formatting.record import frozen, read_only
from acemaker.loop.contents import contained
from acemaker.loop.label_files import read_label
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.results import Candidates, Halt, Labels, Segment, Selection, Timeline
from acemaker.states import State
from acemaker.steps.generate import describe
from acemaker.structures.candidates import Grader
from acemaker.structures.files import read_structures


def halt_event(halt: Halt, store: Store) -> dict[str, Any]:
    """Describe a halt for the journal; its frames lie beside it."""
    return {
        "number": halt.number,
        "step": halt.step,
        "tier": halt.tier,
        "first_step": halt.first_step,
        "safe_step": halt.safe_step,
        "safe_checkpoint": store.relative(halt.safe_checkpoint),
        "halt_checkpoint": store.relative(halt.halt_checkpoint),
        "thresholds": list(halt.thresholds),
    }


def read_halt(event: Mapping[str, Any], store: Store) -> Halt:
    """Undo `halt_event`."""
    return Halt(
        number=event["number"],
        step=event["step"],
        tier=event["tier"],
        first_step=event["first_step"],
        frames=read_structures(store.halt(event["number"])),
        safe_step=event["safe_step"],
        safe_checkpoint=store.absolute(event["safe_checkpoint"]),
        halt_checkpoint=store.absolute(event["halt_checkpoint"]),
        thresholds=tuple(event.get("thresholds", ())),  # older journals do not have them
    )


def segment_event(segment: Segment, store: Store, restart_every: int) -> dict[str, Any]:
    """Describe a segment for the journal; its checks lie beside it.

    Parameters
    ----------
    segment
        It.
    store
        The campaign's files.
    restart_every
        MD steps between checkpoints: one at the last step is none where the trajectory would not have had one.
    """
    log = SegmentLog(store.segment(segment.number))
    last: dict[str, Any] = {}
    if segment.halt is None and (kept := [one for one in log.checkpoints() if one.step % restart_every == 0]):
        last = {"last_checkpoint": {"step": kept[-1].step, "file": store.relative(kept[-1].path)}}
    return {
        "generation": segment.generation,
        "start_step": segment.start_step,
        "end_step": segment.end_step,
        "halt": halt_event(segment.halt, store) if segment.halt is not None else None,
        "checksums": log.checksums(),
        **({"walker": segment.walker} if segment.walker else {}),
        **last,
    }


def read_segments(progress: Progress, store: Store, first: int = 1) -> list[Segment]:
    """Read explored segments, from a number on, with their halts."""
    segments = []
    for number, event in enumerate(progress.segments[first - 1 :], start=first):
        halt = read_halt(event["halt"], store) if event["halt"] is not None else None
        log = _ended_log(progress, store, number)
        segments.append(
            Segment(
                number=number,
                generation=event["generation"],
                start_step=event["start_step"],
                end_step=event["end_step"],
                timeline=log.timeline(),
                halt=halt,
                soft_start=log.soft_start(),
                walker=event.get("walker", 0),
                next=State(event["next"]),
            )
        )
    return segments


def read_candidates(progress: Progress, store: Store, grade: Grader, rule: OTFConfig) -> Candidates:
    """Read the candidates of the current halt and grade them anew."""
    structures = read_structures(store.candidates(progress.halt))
    return describe(progress.halt, structures, grade(structures), progress.dropped, rule, progress.embedded)


def selection_event(selection: Selection) -> dict[str, Any]:
    """Describe a selection for the journal."""
    gains = [None if np.isnan(gain) else float(gain) for gain in selection.gains]
    return {
        "selected": list(selection.selected),
        "reserve": list(selection.reserve),
        "gains": gains,
        "environments": [None if atoms is None else list(atoms) for atoms in selection.environments],
        "allowed": selection.allowed,
    }


def read_selection(event: Mapping[str, Any], candidates: Candidates) -> Selection:
    """Undo `selection_event`."""
    gains = [np.nan if gain is None else gain for gain in event["gains"]]
    return Selection(
        candidates=candidates,
        selected=tuple(event["selected"]),
        reserve=tuple(event["reserve"]),
        gains=read_only(gains, float),
        # older journals say neither
        environments=tuple(
            None if atoms is None else tuple(atoms) for atoms in event.get("environments", [None] * len(gains))
        ),
        allowed=event.get("allowed", len(event["selected"])),
        by_hand=event.get("by_hand", False),
    )


def read_labels(progress: Progress, store: Store) -> Labels:
    """Read the labels of the current halt's last LABEL."""
    return Labels(
        halt_number=progress.halt,
        candidates=progress.labelled,
        structures=tuple(read_label(store.label(progress.halt, candidate)) for candidate in progress.labelled),
    )


def select_first(candidates: Candidates, n: int) -> Selection:
    """Select as many first structures as generation 0 needs; the others are in reserve."""
    total = len(candidates.structures)
    return Selection(
        candidates=candidates,
        selected=tuple(range(n)),
        reserve=tuple(range(n, total)),
        gains=read_only(np.full(total, np.nan)),
        environments=(None,) * total,
        allowed=n,
    )


class Groups(Sequence[list[Atoms]]):
    """The labels of each training so far, read when they are asked for: all at once may be more than memory holds.

    Parameters
    ----------
    progress
        Which.
    store
        Where they lie.
    """

    def __init__(self, progress: Progress, store: Store) -> None:
        self._groups, self._store = progress.groups, store

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, index: int) -> list[Atoms]: ...

    @overload
    def __getitem__(self, index: slice) -> list[list[Atoms]]: ...

    def __getitem__(self, index: int | slice) -> list[Atoms] | list[list[Atoms]]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        return [read_label(contained(self._store.directory, entry.file)) for entry in self._groups[index]]


def read_groups(progress: Progress, store: Store) -> Groups:
    """Read the labels of each training so far."""
    return Groups(progress, store)


def read_timelines(progress: Progress, store: Store, first: int = 1) -> list[Timeline]:
    """Read the checks of explored segments, from a number on."""
    return [_ended_log(progress, store, number).timeline() for number in range(first, len(progress.segments) + 1)]


def segments_of(progress: Progress, walker: int) -> list[int]:
    """Return the numbers of a walker's segments."""
    return [number for number, event in enumerate(progress.segments, start=1) if event.get("walker", 1) == walker]


def standing_timeline(timelines: Sequence[Timeline], starts: Sequence[int]) -> Timeline:
    """Join the checks of one walker's segments, without the parts that were run again.

    Parameters
    ----------
    timelines
        Of each segment, in order.
    starts
        Where each began.
    """
    ends = [*starts[1:], np.inf][: len(timelines)]
    kept = [timeline.step < end for timeline, end in zip(timelines, ends, strict=True)]
    names = timelines[0].observables if timelines else {}

    def join(arrays: list[np.ndarray]) -> np.ndarray:
        parts = [array[keep] for array, keep in zip(arrays, kept, strict=True)]
        return read_only(np.concatenate(parts) if parts else np.zeros(0))

    return Timeline(
        step=join([timeline.step for timeline in timelines]),
        gamma_max=join([timeline.gamma_max for timeline in timelines]),
        observables={name: join([timeline.observables[name] for timeline in timelines]) for name in names},
    )


def standing_trajectory(progress: Progress, store: Store, walker: int = 1) -> list[Atoms]:
    """Read the frames of a walker's segments, without the parts that were run again."""
    numbers = segments_of(progress, walker)
    starts = [progress.segments[number - 1]["start_step"] for number in numbers]
    stands = progress.walkers[walker - 1]
    if not (stands.ended or stands.halted):
        starts.append(stands.step)  # of its next segment
        if progress.walker == walker:  # which may have been begun
            numbers.append(len(progress.segments) + 1)
    ends = [*starts[1:], np.inf, np.inf][: len(numbers)]
    frames = []
    for number, end in zip(numbers, ends, strict=True):
        found = read_trajectory(_ended_log(progress, store, number).trajectory)
        frames += [frozen(atoms) for atoms in found if atoms.info["step"] < end]
    return frames


def _ended_log(progress: Progress, store: Store, number: int) -> SegmentLog:
    """Return the files of a segment, as they were when it ended; the one that is being explored has no end yet."""
    log = SegmentLog(store.segment(number))
    if number <= len(progress.segments):
        log.check(progress.segments[number - 1].get("checksums", {}))  # older journals have none
    return log
