"""A campaign that halts on the committee above, trains it again, and goes on."""

from pathlib import Path
from typing import Any

import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.states import State

FILE = Path(__file__).with_name("copper_committee.py")


@pytest.mark.parametrize(
    "parameters",
    [
        {"uncertainty": f"{FILE}:opinions", "force_error_tolerance": 30.0},
        {
            "uncertainty": f"{FILE}:trained",
            "committee_trainer": f"{FILE}:train",
            "force_error_tolerance": 1.0,
        },
    ],
)
def test_the_committee_of_the_example_halts_a_campaign(tmp_path: Path, parameters: dict[str, Any]) -> None:
    common = {
        "structure": "Cu",
        "supercell": (2, 2, 2),
        "oracle": "emt",
        "engine": "inprocess",
        "ensemble": "nvt",
        "steps": 45,
        "cutoff": 4.0,
        "n_functions": 10,
        "n_candidates": 3,
        "n_probes": 0,
        "threshold_add_train": 100.0,  # gamma alone would not halt it
        "threshold_call_dft": 100.0,
        "threshold_break": 100.0,
    }
    with Campaign.create(tmp_path / "c", CampaignConfig.from_parameters({**common, **parameters})) as campaign:
        campaign.run()
    assert campaign.state is State.DONE
    assert {halt["tier"] for halt in campaign.progress.halts} == {"uncertainty"}
    if "committee_trainer" in parameters:
        trained = [event for event in campaign.events() if event["event"] == "committee"]
        assert len(trained) == 1 + len(campaign.progress.halts)
