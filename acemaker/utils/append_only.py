"""Immutable sequence that grows without being copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class AppendOnlySequence(Sequence[T], Generic[T]):
    """Sequence like a tuple, except that an extended sequence shares the memory of the original.

    With tuples, replaying the journal of a long campaign would copy all earlier labels for every new one.

    Parameters
    ----------
    items
        Initial items.
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)  # shared list, as long as the longest sequence that uses it
        self._length = len(self._items)

    def with_end(self, item: T) -> AppendOnlySequence[T]:
        """Return the sequence with one more item; this one is not changed."""
        return self.with_all((item,))

    def with_all(self, items: Iterable[T]) -> AppendOnlySequence[T]:
        """Return the sequence with more items; this one is not changed."""
        extended: AppendOnlySequence[T] = AppendOnlySequence()
        # the shared list is copied only if another sequence has extended it already
        extended._items = self._items if len(self._items) == self._length else self._items[: self._length]
        extended._items.extend(items)
        extended._length = len(extended._items)
        return extended

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
        selected = range(self._length)[index]
        return self._items[selected] if isinstance(selected, int) else tuple(self._items[i] for i in selected)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, AppendOnlySequence | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
