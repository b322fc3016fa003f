"""D-optimal choice among candidate structures: what each adds to the active set's volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.potentials.active_set import ActiveSet


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """An order among candidates.

    Attributes
    ----------
    selected : tuple of int
        What is to be labelled, in the order of choice.
    reserve : tuple of int
        The rest, best first.
    gains : ndarray, shape (n_candidates,)
        Growth of ``ln |det|``; NaN for excluded ones and where there is no active set yet.
    entering : tuple of tuples of ndarray of int, or of None
        Numbers of the environments with which each candidate would enter the active set, by element; None where
        there is no gain either.
    elements : tuple of str
        In the order of `entering`.
    """

    selected: tuple[int, ...]
    reserve: tuple[int, ...]
    gains: np.ndarray
    entering: tuple[tuple[np.ndarray, ...] | None, ...]
    elements: tuple[str, ...] = ()


def rank_by_volume(
    active_set: ActiveSet | None,
    projections: Sequence[Sequence[np.ndarray]],
    n_select: int,
    excluded: Sequence[int] = (),
) -> Ranking:
    """Choose structures greedily by MaxVol over the active set and their environments.

    Candidate 0, the anchor, is taken first unless excluded; each further choice is the structure whose
    environments make the volume grow most, given those that were taken before it.

    Parameters
    ----------
    active_set
        The current one; None keeps the given order.
    projections : sequence of sequences of ndarray, shape (n_environments, n_functions)
        Candidates' B-projections by element.
    n_select
        How many to choose.
    excluded
        Candidates not to be chosen.

    Returns
    -------
    Ranking
    """
    gains = np.full(len(projections), np.nan)
    entering: list[tuple[np.ndarray, ...] | None] = [None] * len(projections)
    open_ones = [index for index in range(len(projections)) if index not in excluded]
    if active_set is None:
        first, rest = tuple(open_ones[:n_select]), tuple(open_ones[n_select:])
        return Ranking(selected=first, reserve=rest, gains=gains, entering=tuple(entering))
    selected: list[int] = []
    while open_ones:
        complete = len(selected) >= n_select
        weighed = [0] if 0 in open_ones and not complete else open_ones
        for index in weighed:
            contribution = active_set.contribution(projections[index])
            gains[index], entering[index] = contribution.growth, contribution.entering
        if complete:
            break
        best = max(weighed, key=lambda index: gains[index])
        selected.append(best)
        open_ones.remove(best)
        active_set = active_set.extend(projections[best])
    reserve = sorted(open_ones, key=lambda index: -gains[index])
    return Ranking(
        selected=tuple(selected),
        reserve=tuple(reserve),
        gains=gains,
        entering=tuple(entering),
        elements=active_set.elements,
    )
