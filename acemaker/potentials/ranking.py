"""D-optimal selection among candidate structures, by the growth of the active set's volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.potentials.active_set import ActiveSet


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Ranking of candidates.

    Attributes
    ----------
    selected : tuple of int
        Candidates to label, in the order of selection.
    reserve : tuple of int
        The other candidates, best first.
    gains : ndarray, shape (n_candidates,)
        Growth of ``ln |det|``; NaN for excluded candidates, and for all without an active set.
    entering : tuple of tuples of ndarray of int, or of None
        Indices of the environments with which each candidate would enter the active set, by element; None for
        candidates without a gain.
    elements : tuple of str
        Elements in the order of `entering`.
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
    """Select structures greedily by MaxVol over the active set and their environments.

    Candidate 0, the halted structure, is selected first unless excluded. Each further selection is the structure whose
    environments increase the volume most, given the structures selected before it.

    Parameters
    ----------
    active_set
        The current active set; without one the order of the candidates is not changed.
    projections : sequence of sequences of ndarray, shape (n_environments, n_functions)
        B-projections of each candidate by element.
    n_select
        Number of candidates to select.
    excluded
        Indices of candidates that cannot be selected.

    Returns
    -------
    Ranking
    """
    gains = np.full(len(projections), np.nan)
    entering: list[tuple[np.ndarray, ...] | None] = [None] * len(projections)
    remaining = [index for index in range(len(projections)) if index not in excluded]
    if active_set is None:
        first, rest = tuple(remaining[:n_select]), tuple(remaining[n_select:])
        return Ranking(selected=first, reserve=rest, gains=gains, entering=tuple(entering))
    selected: list[int] = []
    while remaining:
        complete = len(selected) >= n_select
        considered = [0] if 0 in remaining and not complete else remaining
        for index in considered:
            contribution = active_set.contribution(projections[index])
            gains[index], entering[index] = contribution.growth, contribution.entering
        if complete:
            break
        best = max(considered, key=lambda index: gains[index])
        selected.append(best)
        remaining.remove(best)
        active_set = active_set.extend(projections[best])
    reserve = sorted(remaining, key=lambda index: -gains[index])
    return Ranking(
        selected=tuple(selected),
        reserve=tuple(reserve),
        gains=gains,
        entering=tuple(entering),
        elements=active_set.elements,
    )
