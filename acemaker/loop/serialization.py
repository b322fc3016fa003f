"""Conversion of results to journal events, and back from the campaign's files."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.errors import DamagedFileError
from acemaker.formatting.record import frozen, read_only
from acemaker.loop.label_files import read_label
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store, contained
from acemaker.oracles.checks import noted_pressure
from acemaker.results import Candidates, Halt, Labels, Segment, Selection, Timeline
from acemaker.states import State
from acemaker.steps.generate import describe
from acemaker.structures.candidates import Grader
from acemaker.structures.files import read_structures


def halt_event(halt: Halt, store: Store) -> dict[str, Any]:
    """Return the journal's fields of a halt; its frames are in a file."""
    return {
        "number": halt.number,
        "step": halt.step,
        "tier": halt.tier,
        "first_step": halt.first_step,
        "safe_step": halt.safe_step,
        "safe_checkpoint": store.relative(halt.safe_checkpoint),
        "halt_checkpoint": store.relative(halt.halt_checkpoint),
        "thresholds": list(halt.thresholds),
        "measure": halt.measure,
        "tolerance": None if halt.tolerance is None or math.isinf(halt.tolerance) else halt.tolerance,
    }


def read_halt(event: Mapping[str, Any], store: Store) -> Halt:
    """Return a halt from its fields in the journal and its frames."""
    return Halt(
        number=event["number"],
        step=event["step"],
        tier=event["tier"],
        first_step=event["first_step"],
        frames=read_structures(store.halt(event["number"])),
        safe_step=event["safe_step"],
        safe_checkpoint=store.absolute(event["safe_checkpoint"]),
        halt_checkpoint=store.absolute(event["halt_checkpoint"]),
        thresholds=tuple(event["thresholds"]),
        measure=event.get("measure", ""),
        tolerance=event.get("tolerance"),
    )


def segment_event(segment: Segment, store: Store, restart_every: int) -> dict[str, Any]:
    """Return the journal's fields of a segment; its checks are in files.

    Parameters
    ----------
    segment
        The segment.
    store
        The campaign's files.
    restart_every
        MD steps between checkpoints. A checkpoint of the last step is ignored if it is not a multiple of this, since a
        longer trajectory would not have it.
    """
    log = SegmentLog(store.segment(segment.number))
    last: dict[str, Any] = {}
    checkpoints = log.checkpoints() if segment.halt is None else []
    if regular := [checkpoint for checkpoint in checkpoints if checkpoint.step % restart_every == 0]:
        last = {"last_checkpoint": {"step": regular[-1].step, "file": store.relative(regular[-1].path)}}
    return {
        "generation": segment.generation,
        "start_step": segment.start_step,
        "end_step": segment.end_step,
        "halt": halt_event(segment.halt, store) if segment.halt is not None else None,
        "checksums": log.checksums(),
        "walker": segment.walker,
        **last,
    }


def read_segments(progress: Progress, store: Store, first: int = 1) -> list[Segment]:
    """Read explored segments with their halts, starting with the number `first`."""
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
                walker=event["walker"],
                next=State(event["next"]),
            )
        )
    return segments


def read_candidates(progress: Progress, store: Store, grade: Grader, rule: OTFConfig) -> Candidates:
    """Read the candidates of the current halt, and compute their gamma again."""
    structures = read_structures(store.candidates(progress.halt))
    return describe(progress.halt, structures, grade(structures), progress.dropped, rule, progress.embedded)


def selection_event(selection: Selection) -> dict[str, Any]:
    """Return the journal's fields of a selection."""
    gains = [None if np.isnan(gain) else float(gain) for gain in selection.gains]
    return {
        "selected": list(selection.selected),
        "reserve": list(selection.reserve),
        "gains": gains,
        "environments": [None if atoms is None else list(atoms) for atoms in selection.environments],
        "allowed": selection.allowed,
    }


def read_selection(event: Mapping[str, Any], candidates: Candidates) -> Selection:
    """Return a selection from its fields in the journal."""
    gains = [np.nan if gain is None else gain for gain in event["gains"]]
    return Selection(
        candidates=candidates,
        selected=tuple(event["selected"]),
        reserve=tuple(event["reserve"]),
        gains=read_only(gains, float),
        environments=tuple(None if atoms is None else tuple(atoms) for atoms in event["environments"]),
        allowed=event["allowed"],
        by_hand=event.get("by_hand", False),
    )


def read_labels(progress: Progress, store: Store) -> Labels:
    """Read the labels of the current halt's last LABEL."""
    undistorted = None
    sums = {entry.file: entry.sum for entry in progress.labels[-2 * len(progress.labeled) :]}
    if progress.halt is None:
        with contextlib.suppress(DamagedFileError):  # only a remark depends on it
            undistorted = noted_pressure(read_structures(store.candidates(None)))
    return Labels(
        halt_number=progress.halt,
        candidates=progress.labeled,
        structures=tuple(
            read_label(file, sums.get(store.relative(file) or "", ""))
            for file in (store.label(progress.halt, candidate) for candidate in progress.labeled)
        ),
        undistorted=undistorted,
    )


def select_first(candidates: Candidates, n: int) -> Selection:
    """Select the structures of the first generation; the others are in reserve."""
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
    """The labels of each training so far, which are read on access, since all of them may not fit into memory.

    Parameters
    ----------
    progress
        The state of the campaign.
    store
        The campaign's files.
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
            return [self[number] for number in range(len(self))[index]]
        return [read_label(contained(self._store.directory, entry.file), entry.sum) for entry in self._groups[index]]


def read_groups(progress: Progress, store: Store) -> Groups:
    """Read the labels of each training so far."""
    return Groups(progress, store)


def read_timelines(progress: Progress, store: Store, first: int = 1) -> list[Timeline]:
    """Read the checks of explored segments, starting with the number `first`."""
    return [_ended_log(progress, store, number).timeline() for number in range(first, len(progress.segments) + 1)]


def segments_of(progress: Progress, walker: int) -> list[int]:
    """Return the numbers of a walker's segments."""
    return [number for number, event in enumerate(progress.segments, start=1) if (event["walker"] or 1) == walker]


def current_timeline(timelines: Sequence[Timeline], starts: Sequence[int]) -> Timeline:
    """Join the checks of one walker's segments, without the parts that were run again.

    Parameters
    ----------
    timelines
        The checks of each segment, in order.
    starts
        The start step of each segment.
    """
    ends = [*starts[1:], np.inf][: len(timelines)]
    masks = [timeline.step < end for timeline, end in zip(timelines, ends, strict=True)]
    names = timelines[0].observables if timelines else {}

    def join(arrays: list[np.ndarray]) -> np.ndarray:
        parts = [array[mask] for array, mask in zip(arrays, masks, strict=True)]
        return read_only(np.concatenate(parts) if parts else np.zeros(0))

    return Timeline(
        step=join([timeline.step for timeline in timelines]),
        gamma_max=join([timeline.gamma_max for timeline in timelines]),
        observables={name: join([timeline.observables[name] for timeline in timelines]) for name in names},
    )


def current_trajectory(progress: Progress, store: Store, walker: int = 1) -> list[Atoms]:
    """Read the frames of a walker's segments, without the parts that were run again."""
    numbers = segments_of(progress, walker)
    starts = [progress.segments[number - 1]["start_step"] for number in numbers]
    current = progress.walkers[walker - 1]
    if not (current.ended or current.halted):
        starts.append(current.step)  # of its next segment
        if progress.walker == walker:  # which may be running
            numbers.append(len(progress.segments) + 1)
    ends = [*starts[1:], np.inf, np.inf][: len(numbers)]
    frames = []
    for number, end in zip(numbers, ends, strict=True):
        trajectory = read_trajectory(_ended_log(progress, store, number).trajectory)
        frames += [frozen(atoms) for atoms in trajectory if atoms.info["step"] < end]
    return frames


def _ended_log(progress: Progress, store: Store, number: int) -> SegmentLog:
    """Return the files of a segment, whose checksums are verified if the segment has ended."""
    log = SegmentLog(store.segment(number))
    if number <= len(progress.segments):
        log.check(progress.segments[number - 1]["checksums"])
    return log
