"""A sequence that grows without being copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Grown(Sequence[T], Generic[T]):
    """Like a tuple, but that one with another item at its end shares the memory of the one before.

    A fold over the events of a long campaign would otherwise copy all earlier labels for every new one.

    Parameters
    ----------
    items
        What it begins with.
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)  # of the longest of those that share it
        self._length = len(self._items)

    def with_end(self, item: T) -> Grown[T]:
        """Return the sequence with one more item; this one stays as it is."""
        return self.with_all((item,))

    def with_all(self, items: Iterable[T]) -> Grown[T]:
        """Return the sequence with more items; this one stays as it is."""
        grown: Grown[T] = Grown()
        # another sequence may have grown out of this one already: then there are two ends
        grown._items = self._items if len(self._items) == self._length else self._items[: self._length]
        grown._items.extend(items)
        grown._length = len(grown._items)
        return grown

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return islice(self._items, self._length)

    def __reversed__(self) -> Iterator[T]:
        return islice(reversed(self._items), len(self._items) - self._length, None)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        places = range(self._length)[index]
        return self._items[places] if isinstance(places, int) else tuple(self._items[place] for place in places)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Grown | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
