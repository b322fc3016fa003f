"""Campaigns of a dopant, an interstitial, an adatom and molecules, by parameters alone."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule

from acemaker import Campaign, CampaignConfig
from acemaker.errors import AcemakerError, ConfigError, StructureError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.states import State
from acemaker.structures.computed import forces_of
from acemaker.testing import ToyOracle


def dopant(host: str, element: str) -> Atoms:
    atoms = bulk(host, cubic=True).repeat(2)
    atoms.symbols[0] = element
    return atoms


def interstitial() -> Atoms:
    atoms = bulk("Pd", cubic=True).repeat(2)
    return atoms + Atoms("H", [[atoms.cell[0, 0] / 4, 0, 0]])


def adatom() -> Atoms:
    atoms = fcc111("Cu", (3, 3, 3), vacuum=6, periodic=True)
    add_adsorbate(atoms, "Al", 2.0, "fcc")
    return atoms


def force_error(campaign: Campaign) -> tuple[float, float]:
    """RMSE of forces along the trajectory, and their root mean square, eV/Å."""
    structure = campaign.initial_structure()
    oracle = CalculatorOracle.from_config(campaign.config.oracle, tuple(sorted(set(structure.symbols))))
    assert campaign.generation is not None
    calculator, errors, forces = campaign.generation.calculator(), [], []
    for frame in campaign.trajectory():
        atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc)
        label = forces_of(oracle.label(atoms))
        atoms.calc = calculator
        errors.append(atoms.get_forces() - label)
        forces.append(label)
    return float(np.sqrt(np.mean(np.square(errors)))), float(np.sqrt(np.mean(np.square(forces))))


EAM = {"pair_style": "eam/alloy", "pair_coeff": ["* * CuNi.eam.alloy Cu Ni"]}
CASES: dict[str, tuple[Atoms, dict[str, Any]]] = {
    "Ni in Cu": (dopant("Cu", "Ni"), EAM),
    "Cu in Ni": (dopant("Ni", "Cu"), EAM),
    "H in Pd": (interstitial(), {"oracle": "emt", "timestep": 0.5}),
    "Al on Cu": (adatom(), {"oracle": "emt"}),
    "N2": (molecule("N2"), {"oracle": "emt", "timestep": 0.5}),
    "CO": (molecule("CO"), {"oracle": "emt", "timestep": 0.5}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_campaign_of_atoms_that_never_meet_ends_well(tmp_path: Path, name: str) -> None:
    structure, parameters = CASES[name]
    config = CampaignConfig.from_parameters(
        {"temperature": 300, "steps": 300, "ensemble": "nvt", "trajectory_every": 25} | parameters
    )
    campaign = Campaign.create(tmp_path / "c", config, structure=structure)
    assert campaign.progress.n_first <= 40
    campaign.run()
    assert campaign.state is State.DONE
    assert len(campaign.progress.labels) <= 50
    error, forces = force_error(campaign)
    assert error < 0.1 * forces, (error, forces)
    campaign.close()


@pytest.mark.parametrize(
    ("structure", "parameters", "kind", "message"),
    [
        (Atoms("Cu"), {}, StructureError, "no atom of the structure has a neighbor within the cutoff"),
        (Atoms("CuNi", [[0, 0, 0], [0, 0, 8]]), {}, StructureError, "no atom .* increase cutoff"),
        (
            bulk("Cu", cubic=True) * (2, 2, 2),
            {"n_functions": 15, "composition": {}, "structure": "Cu"},
            ConfigError,
            "at least 16 functions per element for 5 elements",
        ),
    ],
)
def test_what_structures_tell_is_said_before_a_label_is_paid(
    tmp_path: Path, structure: Atoms, parameters: dict[str, Any], kind: type[AcemakerError], message: str
) -> None:
    if "16" in message:
        structure = structure.copy()
        structure.symbols[:4] = ["Ag", "Al", "Au", "Ni"]
    oracle = ToyOracle()
    config = CampaignConfig.from_parameters({"oracle": "emt", "ensemble": "nvt"} | parameters)
    with pytest.raises(kind, match=message):
        Campaign.create(tmp_path / "c", config, structure=structure, oracle=oracle)
    assert oracle.calls == 0
    assert not (tmp_path / "c" / "journal.jsonl").exists()


def test_fewer_functions_than_configured_are_named_before_a_label_is_paid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    oracle = ToyOracle()
    structure = bulk("Cu", cubic=True) * (2, 2, 2)
    structure.symbols[::2] = "Ni"
    config = CampaignConfig.from_parameters({"oracle": "emt", "n_functions": 33})
    with caplog.at_level(logging.WARNING, "acemaker"):
        campaign = Campaign.create(tmp_path / "c", config, structure=structure, oracle=oracle)
    assert "32 functions per element of n_functions=33" in caplog.text
    assert "32 functions per element of n_functions=33" in repr(campaign)
    assert oracle.calls == 0
    campaign.close()
