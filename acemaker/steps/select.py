"""SELECT: choose what to label."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ase import Atoms

from acemaker.errors import FitRejectedError
from acemaker.potentials.ranking import Ranking
from acemaker.results import Candidates, Selection
from acemaker.results.record import read_only

Ranker = Callable[[Sequence[Atoms], int, Sequence[int]], Ranking]


def select(candidates: Candidates, n_select: int, rank: Ranker, *, excluded: Sequence[int] = ()) -> Selection:
    """Choose candidates by what they would teach.

    Parameters
    ----------
    candidates
        What to choose from; the anchor is chosen first.
    n_select
        How many.
    rank
        Orders candidates, ``trainer.rank``.
    excluded
        Candidates that have been labelled, or have failed, in an earlier round.

    Returns
    -------
    Selection

    Raises
    ------
    FitRejectedError
        If no candidate is left.
    """
    ranking = rank(candidates.structures, n_select, excluded)
    if not ranking.selected:
        raise FitRejectedError(
            f"all {len(candidates.structures)} candidates of halt {candidates.halt_number} have been labelled or "
            "have failed, and no fit was accepted; raise n_candidates or cv_tolerance, or look at the labels"
        )
    return Selection(
        candidates=candidates,
        selected=ranking.selected,
        reserve=ranking.reserve,
        gains=read_only(ranking.gains, float),
    )
