"""SELECT: choose what to label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from acemaker.errors import ConfigError, FitRejectedError
from acemaker.formatting.record import read_only
from acemaker.potentials.ranking import Ranking
from acemaker.results import Candidates, Selection
from acemaker.structures.mask import mask_of

Ranker = Callable[[Sequence[Atoms], int, Sequence[int]], Ranking]


def select(
    candidates: Candidates,
    n_select: int,
    rank: Ranker,
    *,
    excluded: Sequence[int] = (),
    budget: int | None = None,
) -> Selection:
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
    budget
        How many labels may still be made; None for any number.

    Returns
    -------
    Selection

    Raises
    ------
    FitRejectedError
        If no candidate is left.
    """
    allowed = n_select if budget is None else min(n_select, budget)
    ranking = rank(candidates.structures, allowed, excluded)
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
        environments=tuple(
            None if entering is None else _atoms_of(structure, ranking.elements, entering)
            for structure, entering in zip(candidates.structures, ranking.entering, strict=True)
        ),
        allowed=allowed,
    )


def choose(selection: Selection, candidates: Sequence[int]) -> Selection:
    """Put a person's choice in the place of a selection.

    Parameters
    ----------
    selection
        What was selected.
    candidates
        Numbers of those to label, in order.

    Returns
    -------
    Selection
        With the others in reserve, best first.

    Raises
    ------
    ConfigError
        If a number is no open candidate's, or comes twice, or there is none.
    """
    open_ones = (*selection.selected, *selection.reserve)
    chosen = tuple(int(index) for index in candidates)
    strange = sorted(set(chosen) - set(open_ones))
    if strange or not chosen or len(set(chosen)) < len(chosen):
        listed = ", ".join(map(str, sorted(open_ones)))
        raise ConfigError(f"expected one or more of the candidates {listed}, each once, got {list(candidates)}")
    reserve = tuple(index for index in open_ones if index not in chosen)
    return replace(selection, selected=chosen, reserve=reserve, by_hand=True)


def _atoms_of(structure: Atoms, elements: Sequence[str], entering: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Find the atoms whose environments have these numbers among those of their element that count."""
    mask = mask_of(structure)
    counts = np.ones(len(structure), dtype=bool) if mask is None else mask
    members = [np.flatnonzero((structure.symbols == element) & counts) for element in elements]
    return tuple(sorted(int(atom) for own, numbers in zip(members, entering, strict=True) for atom in own[numbers]))
