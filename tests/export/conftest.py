"""A small real campaign whose labels and potential are exported."""

from __future__ import annotations

from pathlib import Path

import pytest

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.campaign import AttachedCampaign
from acemaker.errors import MissingLibraryError
from acemaker.potentials.committee.installation import find_mace

PARAMETERS = {
    "structure": "Cu",
    "crystal": "fcc",
    "lattice_constant": 3.58,
    "composition": {"Cu": 0.5, "Ni": 0.5},
    "supercell": (2, 2, 2),
    "temperature": (300, 1200),
    "steps": 400,
    "n_functions": 40,
    "cutoff": 4.2,
    "pair_style": "eam/alloy",
    "pair_coeff": ["* * CuNi.eam.alloy Cu Ni"],
    "threshold_call_dft": 2.0,
    "smooth_steps": 1,
    "n_select": 2,
    "oracle_check": False,
    "reference_energies": {"Cu": -0.25, "Ni": 0.5},
}


@pytest.fixture(scope="session")
def alloy_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a campaign with labels of several halts."""
    directory = tmp_path_factory.mktemp("exported") / "my campaign"
    with Campaign.create(directory, CampaignConfig.from_parameters(PARAMETERS)) as campaign:
        campaign.run()
    return directory


@pytest.fixture
def campaign(alloy_directory: Path) -> AttachedCampaign:
    return acemaker.attach(alloy_directory)


@pytest.fixture(scope="session")
def mace_python() -> Path:
    """The Python of the environment of MACE."""
    try:
        return find_mace("")
    except MissingLibraryError as error:
        pytest.skip(f"no MACE: make mace ({error})")
