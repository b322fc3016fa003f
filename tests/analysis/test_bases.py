"""Bases compared on the labels of a campaign, and a campaign that chooses its basis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign, attach
from acemaker.analysis import compare_bases
from acemaker.config import CampaignConfig
from acemaker.errors import StateError
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def chosen(**changes: object) -> CampaignConfig:
    config = toy_config()
    potential = config.potential.model_copy(update={"basis": "auto", "cutoff": 6.0, **changes})
    return config.model_copy(update={"potential": potential})


def test_a_campaign_is_compared_without_being_changed(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(100, halting_at(50)), oracle=ToyOracle())
    with pytest.raises(StateError, match=r"campaign\.prepare"):
        compare_bases(campaign)
    campaign.run()
    before = (campaign.directory / "journal.jsonl").read_bytes()
    choice = compare_bases(campaign)
    assert choice.configured.cutoff == campaign.config.potential.cutoff
    assert choice.n_structures == len(campaign.labeled_structures())
    assert repr(choice) == repr(compare_bases(attach(campaign.directory)))
    assert (campaign.directory / "journal.jsonl").read_bytes() == before


def test_a_campaign_chooses_a_basis_once_and_continues_with_it(tmp_path: Path) -> None:
    """Opened again at its halt, it ends with the same coefficients as one that was never closed."""
    results = []
    for name in ("whole", "opened again"):
        engine = ToyEngine(100, halting_at(50))
        campaign = Campaign.create(tmp_path / name, chosen(), engine=engine, oracle=ToyOracle())
        if name != "whole":
            campaign.prepare()
            assert campaign.generation is not None
            assert campaign.generation.number == 1
            campaign.close()
            campaign = Campaign.open(tmp_path / name, engine=ToyEngine(100, halting_at(50)), oracle=ToyOracle())
        campaign.run()
        generation = campaign.generation
        assert generation is not None
        assert generation.number == 2
        assert generation.basis_choice is not None
        assert generation.cutoff == generation.basis_choice.best.cutoff
        assert "basis" in dict(generation.summary().items)
        results.append((generation.basis_choice, generation.coefficients()))
    assert results[0][0] == results[1][0]
    assert np.array_equal(results[0][1], results[1][1])
