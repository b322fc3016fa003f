"""A selection with the gain of each candidate, its new environments, and the reason for the choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from acemaker import Campaign
from acemaker.loop.serialization import read_selection, selection_event
from acemaker.potentials.active_set import gamma_of
from acemaker.potentials.ranking import Ranking
from acemaker.results import Candidates, Selection
from acemaker.steps import select
from tests.conftest import alloy
from tests.loop.test_generate import CONFIG


def candidates(n: int, halt_number: int = 1) -> Candidates:
    return Candidates(
        halt_number=halt_number,
        structures=(alloy(),) * n,
        origins=("halted structure", *["random_displacement"] * (n - 1)),
        gamma_max=np.linspace(8, 3, n),
        distance_min=np.full(n, 2.2),
        map=np.zeros((n, 2)),
    )


def rank(structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
    """Two environments of nickel for number 2, nothing for number 3."""
    nothing = np.zeros(0, int), np.zeros(0, int)
    entering = [(np.array([0, 3]), np.array([1])), (np.array([2]), nothing[1]), (nothing[0], np.array([0, 4])), nothing]
    open_ones = [index for index in (0, 2, 1, 3) if index not in excluded]
    return Ranking(
        selected=tuple(open_ones[:n_select]),
        reserve=tuple(open_ones[n_select:]),
        gains=np.array([3.0, 0.4, 2.0, 0.0]),
        entering=tuple(None if index in excluded else entering[index] for index in range(4)),
        elements=("Cu", "Ni"),
    )


def test_environments_are_atoms_of_their_element() -> None:
    made = select(candidates(4), 2, rank)
    symbols = alloy().symbols
    nickel, copper = np.flatnonzero(symbols == "Ni"), np.flatnonzero(symbols == "Cu")
    assert made.environments[0] == tuple(sorted([copper[0], copper[3], nickel[1]]))
    assert made.environments[2] == (nickel[0], nickel[4])
    assert made.environments[3] == ()


def test_every_candidate_has_its_reason() -> None:
    made = select(candidates(4), 2, rank)
    assert made.reason(0) == "yes (1): the halted structure is always selected"
    assert made.reason(2) == "yes (2): the largest gain after the previous ones"
    assert made.reason(1) == "no: 2 allowed, others have a larger gain"
    assert made.reason(3) == "no: no environment that the selected ones do not contain"
    for text in (repr(made), made._repr_html_()):
        assert "2 Cu, 1 Ni" in text
        assert "none" in text
        assert "the halted structure is always selected" in text
    later = select(candidates(4), 2, rank, excluded=[0])
    assert later.reason(0) == "no: labeled or failed in an earlier round"


def test_a_budget_is_the_smaller_number() -> None:
    assert select(candidates(4), 3, rank, budget=1).selected == (0,)
    assert select(candidates(4), 3, rank, budget=9).selected == (0, 2, 1)


def test_it_is_the_same_when_read_back() -> None:
    made = select(candidates(4), 2, rank, excluded=[3])
    event = selection_event(made)
    again = read_selection(event, made.candidates)
    assert repr(again) == repr(made)
    assert again.environments == made.environments


def test_what_enters_is_beyond_the_active_set(tmp_path: Path) -> None:
    """On a real halt: the atoms that the halted structure brings had a gamma above 1; the worst is among them."""
    with Campaign.create(tmp_path / "c", CONFIG) as campaign:
        made = next(
            result for result in campaign.steps() if isinstance(result, Selection) and result.candidates.halt_number
        )
        trainer = campaign._work.trainer()
        halted = made.candidates.structures[0]
        (grades,) = gamma_of(trainer._builder.projections(halted), trainer.active_set.inverses)  # type: ignore[attr-defined]
        atoms = made.environments[0]
        assert atoms
        # one may enter in the wake of others, but few do
        assert np.mean(grades[list(atoms)] > 1) > 0.5
        assert grades.argmax() in atoms
        assert len(made.selected) == 3
        assert all(made.gains[index] == pytest.approx(0) or made.environments[index] for index in made.reserve)
