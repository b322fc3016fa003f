"""The division of labels into training and test set."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from acemaker.errors import ConfigError
from acemaker.export.labels import ExportedLabel, Kind
from acemaker.export.split import halts_for_test


def label(number: int, halt: int | None, key: str = "", kind: Kind = "halt") -> ExportedLabel:
    kind = "initial" if halt is None and kind == "halt" else kind
    return ExportedLabel(file=f"{number}", atoms=Atoms("Cu"), kind=kind, key=key or f"key {number}", halt=halt)


def labels(*halts: int | None) -> list[ExportedLabel]:
    return [label(number, halt) for number, halt in enumerate(halts)]


sizes = st.lists(st.integers(1, 6), min_size=2, max_size=30)


@given(sizes, st.integers(0, 10), st.floats(0.01, 0.6))
def test_the_share_is_met_as_closely_as_whole_halts_allow(counts: list[int], n_first: int, share: float) -> None:
    made = labels(*[None] * n_first, *(halt for halt, n in enumerate(counts, start=1) for _ in range(n)))
    try:
        chosen = halts_for_test(made, share)
    except ConfigError as error:
        assert "left for training" in str(error)
        assert n_first == 0
        return
    n_test = sum(item.halt in chosen for item in made)
    wanted = min(share * len(made), sum(counts))
    assert chosen
    assert abs(n_test - wanted) <= max(counts) / 2 + 1e-9 or n_test == min(counts)
    assert None not in chosen
    assert chosen == halts_for_test(made, share)


def test_the_halts_are_spread_along_the_campaign() -> None:
    made = labels(*[halt for halt in range(1, 41) for _ in range(2)])
    chosen = sorted(halts_for_test(made, 0.1))
    assert len(chosen) == 4
    assert set(np.diff(chosen)) == {10}


def test_halts_that_share_a_structure_stay_together() -> None:
    made = [*labels(None, 1, 2, 3, 4, 5), label(6, 3, key="key 1"), label(7, 5, key="key 6")]
    made += [label(8, 5, key="key 1")]
    for share in (0.1, 0.2, 0.3, 0.5, 0.7):
        chosen = halts_for_test(made, share)
        assert {1, 3, 5} <= chosen or not {1, 3, 5} & chosen
    with pytest.raises(ConfigError, match=re.escape("halts [1] share a structure with [3, 5]")):
        halts_for_test(made, [1])
    assert halts_for_test(made, [1, 3, 5]) == {1, 3, 5}


def test_halts_that_share_a_structure_with_the_first_labels_are_never_held_out() -> None:
    made = [*labels(None, None, 1, 2, 3), label(9, 2, key="key 0")]
    assert all(2 not in halts_for_test(made, share) for share in (0.1, 0.4, 0.6))
    with pytest.raises(ConfigError, match=r"halts \[2\] cannot be held out"):
        halts_for_test(made, [2])


def test_labels_added_by_hand_and_isolated_atoms_are_for_training() -> None:
    made = [label(0, None, kind="added"), label(1, 1), label(2, 2), label(3, None, kind="IsolatedAtom")]
    assert halts_for_test(made, 0.3) in ({1}, {2})
    with pytest.raises(ConfigError, match="left for training"):
        halts_for_test(made[1:], [1, 2])


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (1.0, "expected a share of at least 0 and less than 1"),
        (-0.1, "expected a share"),
        (float("nan"), "expected a share"),
        (float("inf"), "expected a share"),
        (3, "expected a share"),
        (True, "or numbers of halts such as"),
        ("0.2", "or numbers of halts such as"),
        ([], "or numbers of halts such as"),
        ([1.0], "or numbers of halts such as"),
        ([True], "or numbers of halts such as"),
        (None, "or numbers of halts such as"),
        ([7], r"expected halts with labels that are exported \(1, 2\), got \[7\]"),
        ([0], r"got \[0\]"),
        ([1, 2], "left for training"),
    ],
)
def test_an_impossible_test_set_is_refused(test: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        halts_for_test(labels(1, 1, 2), test)


def test_a_campaign_with_first_labels_alone_has_no_test_set() -> None:
    with pytest.raises(ConfigError, match="only first labels"):
        halts_for_test(labels(None, None), 0.2)
    assert halts_for_test(labels(None, None), 0) == frozenset()


def test_numbers_of_numpy_are_numbers() -> None:
    made = labels(None, 1, 2, 3)
    assert halts_for_test(made, list(np.array([2]))) == {2}
    assert halts_for_test(made, np.float64(0.25)) == {2}
