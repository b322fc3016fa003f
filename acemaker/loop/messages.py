"""Where a campaign stands, in words and marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acemaker.loop.progress import Progress
from acemaker.states import CYCLE, State

SHOWN = 6
"""Walkers that are told one by one."""


def what_next(progress: Progress, directory: Path) -> str:
    """Say what the campaign is waiting for, as the end of an error message.

    Parameters
    ----------
    progress
        Where it stands.
    directory
        Where it lives.

    Returns
    -------
    str
    """
    if progress.state is State.DONE:
        return (
            "the campaign is done: all requested steps have been run; where nothing is ramped it can be given more: "
            f"Campaign.open({str(directory)!r}, steps=...)"
        )
    if progress.state is State.FAILED:
        return (
            f"the campaign failed in {progress.failed_state}; mend the cause and reopen it, it goes on "
            f"there: Campaign.open({str(directory)!r})"
        )
    work = State.DIAGNOSE if progress.state is State.HALT else progress.state
    return f"the campaign is in state {progress.state}; what comes next is campaign.{work.lower()}()"


def steps_reached(steps: Sequence[int], total: int) -> str:
    """Say how far the walkers have come.

    Parameters
    ----------
    steps
        MD step of each.
    total
        That are asked for.
    """
    if len(steps) > SHOWN:
        return f"{min(steps)} to {max(steps)} of {total}, by {len(steps)} walkers"
    return f"{', '.join(map(str, steps))} of {total}"


def state_strip(progress: Progress) -> tuple[tuple[str, str], ...]:
    """Mark the states of the cycle as done, now, failed or open.

    Parameters
    ----------
    progress
        Where the campaign stands.

    Returns
    -------
    tuple of (state, mark)
    """
    here = progress.failed_state or progress.state
    if here is State.DONE:
        visited = CYCLE if progress.halt else (State.EXPLORE, State.LABEL, State.TRAIN)
        return tuple((state.value, "done" if state in visited else "open") for state in CYCLE)
    position = CYCLE.index(here)
    before = "done" if progress.halt else "open"  # generation 0 comes before the first round
    marks = [before if index < position else "open" for index in range(len(CYCLE))]
    marks[position] = "failed" if progress.state is State.FAILED else "now"
    return tuple((state.value, mark) for state, mark in zip(CYCLE, marks, strict=True))
