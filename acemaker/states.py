"""The states of a campaign, and which may follow which.

A state names the work that comes next. ``HALT`` is a record rather than work: the segment has ended in
it, and what comes next is the diagnosis.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A state of the on-the-fly loop."""

    EXPLORE = "EXPLORE"
    HALT = "HALT"
    DIAGNOSE = "DIAGNOSE"
    GENERATE = "GENERATE"
    SELECT = "SELECT"
    LABEL = "LABEL"
    TRAIN = "TRAIN"
    RESUME = "RESUME"
    DONE = "DONE"
    FAILED = "FAILED"


TRANSITIONS: dict[State, frozenset[State]] = {
    # with several walkers, each explores before the first halt is healed
    State.EXPLORE: frozenset({State.HALT, State.DONE, State.EXPLORE}),
    State.HALT: frozenset({State.DIAGNOSE}),
    # what another walker's labels have made known needs none of its own
    State.DIAGNOSE: frozenset({State.GENERATE, State.RESUME}),
    State.GENERATE: frozenset({State.SELECT}),
    State.SELECT: frozenset({State.LABEL}),
    State.LABEL: frozenset({State.TRAIN}),
    # generation 0 goes straight to the first segment; a rejected fit goes back for more labels
    State.TRAIN: frozenset({State.RESUME, State.EXPLORE, State.SELECT}),
    State.RESUME: frozenset({State.EXPLORE, State.HALT}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
}
"""What may follow a completed state. Any state may also end in ``FAILED``, from which a reopened
campaign goes on at the state that failed."""

CYCLE: tuple[State, ...] = tuple(State)[:8]
"""The loop's states in order, for displays."""


def is_allowed(state: State, following: State) -> bool:
    """Tell whether `following` may come after `state`.

    Parameters
    ----------
    state
        The state that ends.
    following
        The state that is to begin.

    Returns
    -------
    bool
        True for the transitions of `TRANSITIONS`, and for any state but an ended one into ``FAILED``.
    """
    if following is State.FAILED:
        return state not in (State.DONE, State.FAILED)
    return following in TRANSITIONS[state]
