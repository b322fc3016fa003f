"""A sequence that grows is what a tuple would have been."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acemaker.utils.append_only import Grown


@given(st.lists(st.tuples(st.integers(0, 30), st.integers()), max_size=30))
def test_however_it_grows_every_one_stays_what_it_was(steps: list[tuple[int, int]]) -> None:
    """Each step appends to one of those that are there already, so that ends part."""
    grown, tuples = [Grown[int]()], [()]
    for place, item in steps:
        place %= len(grown)
        grown.append(grown[place].with_end(item))
        tuples.append((*tuples[place], item))
    for one, other in zip(grown, tuples, strict=True):
        assert one == other
        assert tuple(reversed(one)) == other[::-1]
        assert one[1:-1] == other[1:-1]
        assert [one[index] for index in range(-len(other), len(other))] == [*other, *other]
        assert hash(one) == hash(other)
        assert repr(one) == repr(other)


def test_it_shares_memory_with_those_it_grew_from() -> None:
    one = Grown([1])
    assert one.with_end(2)._items is one._items
    assert one.with_end(3)._items is not one._items
