"""The states of a campaign, and the allowed transitions between them.

A state names the work to be done next. ``HALT`` is an exception: it records that a segment has ended in a halt, and the
diagnosis comes next.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A state of the on-the-fly loop.

    Examples
    --------
    >>> from acemaker import State
    >>> State("LABEL") is State.LABEL
    True
    >>> [state.value for state in State][:3]
    ['EXPLORE', 'HALT', 'DIAGNOSE']
    """

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
    # with several walkers, each explores before the first halt is processed
    State.EXPLORE: frozenset({State.HALT, State.DONE, State.EXPLORE}),
    State.HALT: frozenset({State.DIAGNOSE}),
    # a halt that is already covered by the labels of another walker needs no labels
    State.DIAGNOSE: frozenset({State.GENERATE, State.RESUME}),
    State.GENERATE: frozenset({State.SELECT}),
    State.SELECT: frozenset({State.LABEL}),
    # a probe that cannot be labeled is omitted
    State.LABEL: frozenset({State.TRAIN, State.RESUME}),
    # the first generation leads to the first segment; a rejected fit leads back to the selection of more labels
    State.TRAIN: frozenset({State.RESUME, State.EXPLORE, State.SELECT}),
    State.RESUME: frozenset({State.EXPLORE, State.HALT}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
}
"""States that may follow a completed state. Any state may also end in ``FAILED``; a reopened campaign then continues
with the state that failed."""

CYCLE: tuple[State, ...] = tuple(State)[:8]
"""The states of the loop in order, for displays."""


def is_allowed(state: State, following: State) -> bool:
    """Return whether `following` may come after `state`.

    Parameters
    ----------
    state
        The state that ends.
    following
        The state that begins.

    Returns
    -------
    bool
        True for the transitions of `TRANSITIONS`, and for ``FAILED`` after any state except ``DONE`` and ``FAILED``.
    """
    if following is State.FAILED:
        return state not in (State.DONE, State.FAILED)
    return following in TRANSITIONS[state]
