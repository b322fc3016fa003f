"""The remark on the pressure of the initial labels, which depends on that of the undistorted structure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from acemaker import Campaign, CampaignConfig
from acemaker.loop.journal import read_events
from acemaker.loop.progress import Progress
from acemaker.loop.serialization import read_labels
from acemaker.loop.store import Store
from acemaker.oracles.checks import pressure_remark
from acemaker.results import Labels

SMALL = {"n_functions": 6, "cutoff": 4.0, "supercell": [2, 2, 2], "n_first": 2}


def eam(element: str, **settings: Any) -> dict[str, Any]:
    coefficients = [f"* * {element}_zhou.eam.alloy {element}"]
    return {"structure": element, "pair_style": "eam/alloy", "pair_coeff": coefficients, **settings}


def labels_of(directory: Path, parameters: dict[str, Any], **parts: Any) -> Labels:
    with Campaign.create(directory, CampaignConfig.from_parameters(SMALL | parameters), **parts) as campaign:
        labels = campaign.label()
    assert isinstance(labels, Labels)
    return labels


def pressure(labels: Labels) -> float:
    return -float(np.mean([atoms.get_stress()[:3].mean() for atoms in labels.structures])) / GPa


@pytest.mark.parametrize(
    ("parameters", "high"),
    [
        (eam("W"), False),
        (eam("W", first_rattle=0.3), True),  # stiff
        ({"oracle": "emt", "structure": "Pt", "first_rattle": 0.25}, True),
        ({"oracle": "emt", "structure": "Ag", "lattice_constant": 3.7, "ensemble": "npt", "pressure": 70.0}, True),
    ],
)
def test_a_start_at_rest_is_not_remarked_upon_however_high_the_pressure_of_distorted_ones(
    tmp_path: Path, parameters: dict[str, Any], *, high: bool
) -> None:
    labels = labels_of(tmp_path / "c", parameters)
    assert (abs(pressure(labels)) > 20) == high
    assert not labels.remark


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (eam("Al", lattice_constant=3.615), r"mean pressure of \d\d GPa.*structure is 5\d\.\d GPa: .* too small"),
        (eam("W", lattice_constant=2.9), r"mean pressure of 1\d\d GPa.* too small"),
        ({"oracle": "emt", "structure": "Ag", "lattice_constant": 4.4}, r"pressure of -\d\.\d GPa.* too large"),
        ({"oracle": "emt", "structure": "Ag", "lattice_constant": 3.7, "n_first": 1}, r"structure is \d\d\.\d GPa$"),
        (
            {"oracle": "emt", "structure": "Au", "ensemble": "npt", "pressure": 90.0},
            r"structure is -?\d\.\d GPa instead of 90 GPa: lengths are about \d+ % too large",
        ),
    ],
)
def test_a_start_that_is_not_at_rest_is_remarked_upon(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    assert re.search(message, labels_of(tmp_path / "c", parameters).remark)


def test_the_remark_is_the_same_after_a_campaign_was_opened_again(tmp_path: Path) -> None:
    before = labels_of(tmp_path / "c", {"oracle": "emt", "structure": "Ag", "lattice_constant": 4.4})
    store = Store(tmp_path / "c")
    again = read_labels(Progress().apply_all(read_events(store.journal)[0]), store)
    assert "undistorted structure" in before.remark
    assert again.remark == before.remark


def test_without_the_pressure_of_the_start_that_of_the_labels_counts() -> None:
    labeled = []
    for a in (3.5, 3.6):
        atoms = bulk("Ag", a=a)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "stress": atoms.get_stress(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        labeled.append(atoms)
    assert "GPa; if this is not intended" in pressure_remark(labeled)
    assert not pressure_remark([])
    assert not pressure_remark(labeled, (0.3, 0.0))
    molecule = Atoms("Ag2", [[0, 0, 0], [0, 0, 2.5]])
    molecule.calc = SinglePointCalculator(molecule, energy=0.0, forces=np.zeros((2, 3)))
    assert not pressure_remark([molecule])
