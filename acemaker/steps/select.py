"""SELECT: choose the candidates to label."""

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
    """Choose candidates by their gain of the active set.

    Parameters
    ----------
    candidates
        The candidates; the halted structure is chosen first.
    n_select
        Number of candidates to choose.
    rank
        Ranks candidates: ``trainer.rank``.
    excluded
        Candidates that were labeled, or failed, in an earlier round.
    budget
        Remaining number of labels; None for no limit.

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
            f"all {len(candidates.structures)} candidates of halt {candidates.halt_number} have been labeled or "
            "have failed, and no fit was accepted; increase n_candidates or cv_tolerance, or check the labels"
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
    """Replace the selected candidates by the user's choice.

    Parameters
    ----------
    selection
        The selection.
    candidates
        Numbers of the candidates to label, in order.

    Returns
    -------
    Selection
        The others are in reserve, best first.

    Raises
    ------
    ConfigError
        If `candidates` is empty or contains duplicates, or a candidate cannot be chosen.
    """
    available = (*selection.selected, *selection.reserve)
    chosen = tuple(int(index) for index in candidates)
    unavailable = set(chosen) - set(available)
    if unavailable or not chosen or len(set(chosen)) < len(chosen):
        listed = ", ".join(map(str, sorted(available)))
        raise ConfigError(f"expected one or more of the candidates {listed}, each once, got {list(candidates)}")
    reserve = tuple(index for index in available if index not in chosen)
    return replace(selection, selected=chosen, reserve=reserve, by_hand=True)


def _atoms_of(structure: Atoms, elements: Sequence[str], entering: Sequence[np.ndarray]) -> tuple[int, ...]:
    """Return the atoms of environments that are numbered by element among the atoms that count."""
    mask = mask_of(structure)
    counts = np.ones(len(structure), dtype=bool) if mask is None else mask
    members = [np.flatnonzero((structure.symbols == element) & counts) for element in elements]
    return tuple(sorted(int(atom) for atoms, index in zip(members, entering, strict=True) for atom in atoms[index]))
