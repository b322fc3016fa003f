"""Segments that were interrupted end at a checkpoint when potential or settings change, and new ones begin there.

Otherwise, one segment would consist of checks by two potentials, or by two halting rules, and what was checked before
an interruption would be judged by a rule that was not in force then.
"""

from __future__ import annotations

from typing import Any

from acemaker.config import OTFConfig
from acemaker.engines.checkpoints import Checkpoint
from acemaker.engines.segment_log import SegmentLog
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.states import State


def cut_segments(progress: Progress, store: Store, *rules: OTFConfig) -> list[dict[str, Any]]:
    """End the segments that are not complete at their last checkpoints.

    Segments that other walkers have begun in advance are ended, too, as long as those before them have a checkpoint;
    the others begin again. A checkpoint is passed over if gamma exceeds the threshold there, as after a halt.

    Parameters
    ----------
    progress
        State of the campaign.
    store
        Its files, which are truncated to the checkpoints. If nothing is recorded in the journal after that, the
        segments continue from there as after any interruption.
    *rules
        The halting rules before and after the change; the largest ``threshold_call_dft`` counts.

    Returns
    -------
    list of dict
        The events of these segments, for `acemaker.loop.progress.with_cuts`.
    """
    if State.EXPLORE not in (progress.state, progress.failed_state):
        return []
    threshold = max(rule.threshold_call_dft for rule in rules)
    cuts: list[dict[str, Any]] = []
    all_before = True
    for number, walker in enumerate(progress.exploring, start=len(progress.segments) + 1):
        if not store.segment(number).is_dir():
            all_before = False
            continue
        log = SegmentLog(store.segment(number))
        checkpoint = _truncate(log, threshold) if all_before else None
        if checkpoint is None:
            log.rewind(midway=False)
            all_before = False
            continue
        cuts.append(
            {
                "generation": progress.generation,
                "start_step": progress.walkers[walker - 1].step,
                "end_step": checkpoint.step,
                "checkpoint": store.relative(checkpoint.path),
                "checksums": log.checksums(),
                "walker": walker if len(progress.walkers) > 1 else None,
            }
        )
    return cuts


def _truncate(log: SegmentLog, threshold: float) -> Checkpoint | None:
    """Truncate the files of a segment to its last checkpoint at which gamma is low; None if there is none."""
    while (checkpoint := log.rewind()) is not None:
        check = log.check_at(checkpoint.step)
        if check is not None and check.gamma_max <= threshold:
            return checkpoint
        checkpoint.path.unlink()
    return None
