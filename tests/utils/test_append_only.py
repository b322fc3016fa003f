"""A growing sequence behaves like a tuple."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acemaker.utils.append_only import AppendOnlySequence


@given(st.lists(st.tuples(st.integers(0, 30), st.integers()), max_size=30))
def test_sequences_do_not_change_when_they_are_extended(steps: list[tuple[int, int]]) -> None:
    """Each step extends one of the existing sequences, so that several may extend the same one."""
    grown, tuples = [AppendOnlySequence[int]()], list[tuple[int, ...]]([()])
    for index, item in steps:
        index %= len(grown)
        grown.append(grown[index].with_end(item))
        tuples.append((*tuples[index], item))
    for sequence, other in zip(grown, tuples, strict=True):
        assert sequence == other
        assert tuple(reversed(sequence)) == other[::-1]
        assert sequence[1:-1] == other[1:-1]
        assert [sequence[index] for index in range(-len(other), len(other))] == [*other, *other]
        assert hash(sequence) == hash(other)
        assert repr(sequence) == repr(other)


def test_it_shares_memory_with_those_it_grew_from() -> None:
    sequence = AppendOnlySequence([1])
    assert sequence.with_end(2)._items is sequence._items
    assert sequence.with_end(3)._items is not sequence._items
