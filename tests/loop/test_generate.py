"""Candidates of a real campaign: LAMMPS, pyace, and all strategies at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.results import Candidates, Training
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

MIXED = {"random_displacement": 1, "normal_modes": 1, "md_burst": 1, "strain": 1}

CONFIG = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={
        "n_candidates": 9,
        "n_select": 3,
        "strategies": MIXED,
        "threshold_add_train": 1.5,
        "threshold_call_dft": 2.5,
        "threshold_break": 10,
        "mode_atoms": 6,
        "burst_steps": 10,
    },
    engine={"steps": 400, "temperature": (300, 2000)},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
)


def assert_same(one: Candidates, two: Candidates) -> None:
    assert repr(one) == repr(two)
    assert one.origins == two.origins
    assert one.dropped == two.dropped
    for name in ("gamma_max", "distance_min", "map"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    for mine, theirs in zip(one.structures, two.structures, strict=True):
        assert np.array_equal(mine.positions, theirs.positions)
        assert np.array_equal(mine.cell.array, theirs.cell.array)


def to_candidates(campaign: Campaign) -> Candidates:
    return next(result for result in campaign.steps() if isinstance(result, Candidates))


def test_all_strategies_through_a_halt_and_reopened(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", CONFIG)
    made = to_candidates(campaign)
    assert Counter(made.origins) == {"halted structure": 1, **dict.fromkeys(MIXED, 2)}
    assert ((made.gamma_max[1:] >= 1) & (made.gamma_max[1:] <= 10)).all()
    campaign.close()

    again = Campaign.open(tmp_path / "c")
    assert again.state is State.SELECT
    selection = again.select()
    assert_same(made, selection.candidates)
    assert len(again.label().structures) == 3
    training = again.train()
    assert isinstance(training, Training)
    assert training.accepted
    again.close()

    whole = Campaign.create(tmp_path / "whole", CONFIG)
    assert_same(made, to_candidates(whole))
    whole.run(3)
    for suffix in (".yaml", ".asi"):
        one, two = (tmp_path / name / f"potentials/potential_v2{suffix}" for name in ("c", "whole"))
        assert one.read_bytes() == two.read_bytes()
    whole.close()


def test_what_was_dropped_is_still_known_after_reopening(tmp_path: Path) -> None:
    """No candidate is within the bounds: the halted structure alone is labeled."""
    config = toy_config(threshold_break=7.5, n_select=3, perturbation_scale=0.6, candidate_radius=3.0)
    campaign = Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle())
    made = to_candidates(campaign)
    campaign.close()
    assert len(made.structures) < 6
    assert "too close" in made.dropped
    assert f"{made.dropped['too close']} too close" in repr(made)
    again = Campaign.open(tmp_path / "c", engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle())
    selection = again.select()
    assert_same(made, selection.candidates)
    assert selection.selected[0] == 0
    assert len(selection.selected) == min(3, len(made.structures))
    assert again.run().state is State.DONE


@pytest.mark.parametrize("n_halts", [1, 2])
def test_a_halt_starts_with_nothing_dropped(tmp_path: Path, n_halts: int) -> None:
    config = toy_config(perturbation_scale=0.6)
    halts = (60, 120)[:n_halts]
    campaign = Campaign.create(tmp_path / "c", config, engine=ToyEngine(200, halting_at(*halts)), oracle=ToyOracle())
    while len(campaign.progress.halts) < n_halts:
        campaign.step()
    assert campaign.progress.dropped == {}
    campaign.step()
    campaign.step()
    assert campaign.progress.dropped
