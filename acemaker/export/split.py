"""Division of labels into a training and a test set by halt.

The labels of one halt are variations of one structure. A test set that is drawn at random from all of them contains
structures that are nearly in the training set, and its error is too small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from acemaker.errors import ConfigError
from acemaker.export.labels import ExportedLabel


def halts_for_test(labels: Sequence[ExportedLabel], test: float | Sequence[int]) -> frozenset[int]:
    """Choose the halts whose labels are the test set.

    A halt counts as often as it has labels. The halts are chosen evenly along the campaign, so that the test set
    contains early and late ones. First labels, labels added by hand and isolated atoms are never in it, nor are
    halts that share a structure with them; halts that share one with each other stay together.

    Parameters
    ----------
    labels
        The labels, oldest first.
    test
        Share of the labels that are in the test set, at least 0 and less than 1, or numbers of halts.

    Returns
    -------
    frozenset of int
        Numbers of halts; empty for a share of 0.

    Raises
    ------
    ConfigError
        If `test` is neither, names a halt that cannot be held out, or leaves one of the two sets empty.

    Examples
    --------
    >>> from ase import Atoms
    >>> numbers = (None, None, 1, 1, 2, 3, 4, 5)
    >>> labels = [
    ...     ExportedLabel(file="", atoms=Atoms("Cu"), key=f"{index}", kind="halt" if halt else "initial", halt=halt)
    ...     for index, halt in enumerate(numbers)
    ... ]
    >>> sorted(halts_for_test(labels, 0.25)), sorted(halts_for_test(labels, [2, 5]))
    ([2, 4], [2, 5])
    """
    groups = _groups(labels)
    if isinstance(test, int | float) and not isinstance(test, bool):
        if not 0 <= test < 1:
            raise ConfigError(f"test: expected a share of at least 0 and less than 1, or numbers of halts, got {test}")
        if test == 0:
            return frozenset()
        chosen = _evenly(groups, float(test), sum(label.kind != "IsolatedAtom" for label in labels))
    else:
        chosen = _by_number(groups, labels, test)
    if not any(label.halt not in chosen and label.kind != "IsolatedAtom" for label in labels):
        raise ConfigError(f"test: expected labels that are left for training, got all in the test set with {test}")
    return frozenset(chosen)


def _groups(labels: Sequence[ExportedLabel]) -> list[tuple[set[int], int]]:
    """Return the halts that can be held out, with those that must stay with them, and their number of labels."""
    groups: list[tuple[set[int | None], int]] = []
    by_halt: dict[int | None, list[ExportedLabel]] = {}
    for label in labels:
        if label.kind != "IsolatedAtom":
            by_halt.setdefault(label.halt, []).append(label)
    keys = {halt: {label.key for label in members} for halt, members in by_halt.items()}
    shared: dict[str, set[int | None]] = {}
    for halt, own in keys.items():
        for key in own:
            shared.setdefault(key, set()).add(halt)
    grouped: set[int | None] = set()
    for halt in by_halt:
        if halt in grouped:
            continue
        group, waiting = {halt}, [halt]
        while waiting:
            for key in keys[waiting.pop()]:
                new = shared[key] - group
                group |= new
                waiting += new
        grouped |= group
        groups.append((group, sum(len(by_halt[member]) for member in group)))
    return [({member for member in group if member is not None}, n) for group, n in groups if None not in group]


def _evenly(groups: Sequence[tuple[set[int], int]], share: float, total: int) -> set[int]:
    """Choose groups until their labels are the share, with the smallest difference at each of them."""
    if not groups:
        raise ConfigError(
            "test: expected labels of halts, of which some are held out, got a campaign that has only first labels; "
            "export without a test set"
        )
    available = sum(count for _, count in groups)
    density = min(share * total / available, 1.0)  # first labels are never held out
    chosen: set[int] = set()
    missing = 0.0
    for halts, count in groups:
        missing += density * count
        if missing >= count / 2:
            chosen |= halts
            missing -= count
    if not chosen:
        chosen |= min(reversed(groups), key=lambda group: group[1])[0]
    return chosen


def _by_number(groups: Sequence[tuple[set[int], int]], labels: Sequence[ExportedLabel], test: Any) -> set[int]:
    words = list(test) if isinstance(test, Iterable) and not isinstance(test, str | bytes) else []
    if not words or not all(isinstance(word, Integral) and not isinstance(word, bool) for word in words):
        raise ConfigError(f"test: expected a share such as 0.2, or numbers of halts such as [3, 7], got {test!r}")
    numbers = {int(word) for word in words}
    existing = {label.halt for label in labels if label.halt is not None}
    if missing := sorted(numbers - existing):
        known = ", ".join(map(str, sorted(existing))) or "none"
        raise ConfigError(f"test: expected halts with labels that are exported ({known}), got {missing}")
    if bound := sorted(numbers - set().union(*(halts for halts, _ in groups))):
        raise ConfigError(
            f"test: halts {bound} cannot be held out, because one of their structures is also among the first labels, "
            "or those added by hand"
        )
    for halts, _ in groups:
        if halts & numbers and (others := sorted(halts - numbers)):
            raise ConfigError(
                f"test: halts {sorted(halts & numbers)} share a structure with {others}; hold out all or none of them"
            )
    return numbers
