from itertools import product

import pytest

from acemaker.states import CYCLE, TRANSITIONS, State, is_allowed

LOOP = [
    (State.EXPLORE, State.HALT),
    (State.EXPLORE, State.DONE),
    (State.EXPLORE, State.EXPLORE),
    (State.HALT, State.DIAGNOSE),
    (State.DIAGNOSE, State.GENERATE),
    (State.DIAGNOSE, State.RESUME),
    (State.GENERATE, State.SELECT),
    (State.SELECT, State.LABEL),
    (State.LABEL, State.TRAIN),
    (State.LABEL, State.RESUME),
    (State.TRAIN, State.RESUME),
    (State.TRAIN, State.EXPLORE),
    (State.TRAIN, State.SELECT),
    (State.RESUME, State.EXPLORE),
    (State.RESUME, State.HALT),
]


@pytest.mark.parametrize(("state", "following"), list(product(State, State)))
def test_exactly_the_loop_is_allowed(state: State, following: State) -> None:
    fails = following is State.FAILED and state not in (State.DONE, State.FAILED)
    assert is_allowed(state, following) == ((state, following) in LOOP or fails)


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_the_cycle_is_the_loop_in_order() -> None:
    assert [state.value for state in CYCLE] == (
        ["EXPLORE", "HALT", "DIAGNOSE", "GENERATE", "SELECT", "LABEL", "TRAIN", "RESUME"]
    )
