"""Oracles that lose their stress under a barostat, whose pressure would be learned from energies and forces alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import ConfigError, OracleError
from acemaker.oracles.oracle import STRESS_FAILURE, CalculatorOracle
from acemaker.oracles.process import make_oracle
from acemaker.testing import ToyEngine

SETTINGS: dict[str, Any] = {
    "structure": "Cu",
    "supercell": (2, 2, 2),
    "cutoff": 4.0,
    "n_functions": 12,
    "n_first": 3,
    "steps": 40,
    "isolated_atoms": False,
}
"""Copper, in the ensemble npt by default."""


class FailingStress(EMT):
    """EMT whose stress cannot be computed."""

    implemented_properties: ClassVar = ["energy", "free_energy", "forces", "stress"]

    def get_stress(self, atoms: Any = None) -> np.ndarray:
        raise MemoryError("no memory for the strain derivatives")


class WithoutStress(EMT):
    """EMT that lists a stress, but has none with these settings, as some calculators."""

    def get_stress(self, atoms: Any = None) -> np.ndarray:
        raise NotImplementedError


class Losing:
    """Function that returns a stress in its first calls only."""

    def __init__(self, n_with_stress: int) -> None:
        self.n_left = n_with_stress

    def __call__(self, atoms: Atoms) -> dict[str, Any]:
        results = dict(CalculatorOracle(EMT, 100.0).label(atoms).calc.results)
        self.n_left -= 1
        return results if self.n_left >= 0 else {name: results[name] for name in ("energy", "forces")}


def config_of(**changes: Any) -> CampaignConfig:
    return CampaignConfig.from_parameters({**SETTINGS, "oracle": "object", **changes})


@pytest.mark.parametrize("changes", [{}, {"ensemble": "nvt", "walkers": [{}, {"ensemble": "npt"}]}])
def test_an_oracle_that_fails_to_compute_its_stress_is_refused_by_the_error(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    words = r"the oracle object failed to compute: MemoryError: no memory for the strain.*ensemble='nvt'"
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "c", config_of(**changes), oracle=FailingStress())
    assert not (tmp_path / "c").exists()
    with pytest.raises(ConfigError, match="the labels of the oracle object have none"):
        Campaign.create(tmp_path / "c", config_of(**changes), oracle=WithoutStress())


def test_a_failing_stress_is_reported_where_no_barostat_needs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Campaign.create(tmp_path / "c", config_of(ensemble="nvt"), oracle=FailingStress()) as campaign:
        labels = campaign.label()
    assert "failed to compute it (MemoryError: no memory" in caplog.text
    assert all("stress" not in atoms.calc.results for atoms in labels.structures)


@pytest.mark.parametrize("oracle_check", [True, False])
def test_a_stress_that_is_lost_midway_ends_the_collection_and_keeps_the_labels(
    tmp_path: Path, oracle_check: bool
) -> None:
    oracle = Losing(1000)
    campaign = Campaign.create(tmp_path / "c", config_of(oracle_check=oracle_check), oracle=oracle)
    oracle.n_left = 2
    with campaign, pytest.raises(OracleError, match=r"^no stress: the label of candidate 2 has no stress, although"):
        campaign.label()
    assert campaign.progress.n_labels == 2
    fixed = Losing(1)
    with Campaign.open(tmp_path / "c", oracle=fixed) as campaign:
        labels = campaign.label()
    assert fixed.n_left == 0, "only the missing label is computed"
    assert all("stress" in atoms.calc.results for atoms in labels.structures)


def test_without_a_barostat_a_stress_may_be_lost(tmp_path: Path) -> None:
    config = config_of(ensemble="csvr", oracle_check=False)
    with Campaign.create(tmp_path / "c", config, oracle=Losing(2)) as campaign:
        assert len(campaign.label().structures) == 3
    config = config_of(oracle_check=False)  # an engine of one's own may have no barostat in this ensemble
    with Campaign.create(tmp_path / "d", config, oracle=Losing(2), engine=ToyEngine()) as campaign:
        assert len(campaign.label().structures) == 3


def test_the_error_of_the_stress_reaches_the_campaign_from_a_labeling_process(tmp_path: Path) -> None:
    changes = {"oracle": f"{__name__}:FailingStress", "label_process": "own", "oracle_check": False}
    config = config_of(**changes)
    oracle = make_oracle(OracleConfig(**config.oracle.model_dump()), ("Cu",))
    labeled = oracle.label(bulk("Cu", cubic=True))
    assert labeled.info[STRESS_FAILURE] == "MemoryError: no memory for the strain derivatives"
    with Campaign.create(tmp_path / "c", config) as campaign:
        with pytest.raises(OracleError, match=r"failed to compute \(MemoryError: no memory"):
            campaign.label()
        assert campaign.progress.n_labels == 0


def test_a_shared_label_without_stress_is_computed_again_for_a_barostat(tmp_path: Path) -> None:
    shared = {"oracle": f"{__name__}:Switched", "label_process": "this", "label_store": str(tmp_path / "store")}
    Switched.has_stress = False
    with Campaign.create(tmp_path / "nvt", config_of(ensemble="nvt", **shared)) as campaign:
        assert all("stress" not in atoms.calc.results for atoms in campaign.label().structures)
    Switched.has_stress = True
    with Campaign.create(tmp_path / "npt", config_of(**shared)) as campaign:
        assert all("stress" in atoms.calc.results for atoms in campaign.label().structures)


class Switched(EMT):
    has_stress = True

    def get_stress(self, atoms: Any = None) -> np.ndarray:
        if not self.has_stress:
            raise NotImplementedError
        stress: np.ndarray = super().get_stress(atoms)
        return stress
