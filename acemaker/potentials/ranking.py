"""D-optimal choice among candidate structures: what each adds to the active set's volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.potentials.active_set import ActiveSet


@dataclass(frozen=True, kw_only=True)
class Grading:
    """How far structures are from the training set, and where.

    Attributes
    ----------
    gamma_max : ndarray, shape (n_structures,)
        Largest gamma of each; NaN while there is no generation.
    features : ndarray, shape (n_structures, n_features)
        What they look like to the potential: mean B-projections.
    """

    gamma_max: np.ndarray
    features: np.ndarray


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
    """

    selected: tuple[int, ...]
    reserve: tuple[int, ...]
    gains: np.ndarray


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
    open_ones = [index for index in range(len(projections)) if index not in excluded]
    if active_set is None:
        return Ranking(selected=tuple(open_ones[:n_select]), reserve=tuple(open_ones[n_select:]), gains=gains)
    selected: list[int] = []
    while open_ones:
        complete = len(selected) >= n_select
        weighed = [0] if 0 in open_ones and not complete else open_ones
        for index in weighed:
            gains[index] = active_set.growth(projections[index])
        if complete:
            break
        best = max(weighed, key=lambda index: gains[index])
        selected.append(best)
        open_ones.remove(best)
        active_set = active_set.extend(projections[best])
    reserve = sorted(open_ones, key=lambda index: -gains[index])
    return Ranking(selected=tuple(selected), reserve=tuple(reserve), gains=gains)
