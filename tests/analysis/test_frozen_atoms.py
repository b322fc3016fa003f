"""Analyses of structures with frozen atoms and masses of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker.analysis import reference_trajectory
from acemaker.analysis.accuracy import signs_of_melting
from acemaker.config import CampaignConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.structures.computed import energy_of, forces_of
from tests.conftest import MISHIN, copper


def held() -> Atoms:
    atoms = copper()
    atoms.rattle(0.05, seed=1)
    atoms.arrays["frozen"] = atoms.get_scaled_positions()[:, 2] < 0.45
    atoms.set_masses(np.where(np.arange(32) % 2, 63.546, 130.0))
    return atoms


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "csvr", "langevin"])
def test_the_reference_trajectory_has_the_conditions_of_the_campaign(ensemble: str) -> None:
    parameters: dict[str, Any] = {
        "oracle": "lammps",
        "pair_style": MISHIN.pair_style,
        "pair_coeff": list(MISHIN.pair_coeff),
        "ensemble": ensemble,
        "temperature": 500,
        "steps": 1000,
        "timestep": 1.0,
        "thermostat_time": 20,
    }
    start = held()
    frames = reference_trajectory(CampaignConfig.from_parameters(parameters), start, n_frames=50)
    frozen = start.arrays["frozen"]
    for atoms in frames:
        assert np.array_equal(atoms.positions[frozen], frames[0].positions[frozen])
        assert np.array_equal(atoms.arrays["frozen"], frozen)
        assert np.array_equal(atoms.get_masses(), start.get_masses())
        assert np.abs(forces_of(atoms)[frozen]).min() > 0
    assert np.abs(frames[-1].positions - frames[0].positions)[~frozen].max() > 0.02
    if ensemble != "nve":
        assert abs(np.mean([atoms.info["temperature_K"] for atoms in frames[10:]]) - 500) < 60
    last = frames[-1]
    label = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(last)
    assert np.abs(forces_of(label) - forces_of(last)).max() < 1e-6
    assert abs(energy_of(label) - energy_of(last)) < 1e-5


def test_displacements_count_mobile_atoms_in_the_frame_of_the_frozen_ones() -> None:
    start = copper()
    moved = start.copy()
    upper = start.get_scaled_positions()[:, 2] > 0.45
    moved.positions[upper, 0] += 0.4
    frames = [start, *[moved] * 20]
    assert signs_of_melting(start, frames, 2.556).displacement == pytest.approx(0.04)  # half of the atoms, half as far
    start.arrays["frozen"] = ~upper
    assert signs_of_melting(start, frames, 2.556).displacement == pytest.approx(0.16)


def test_the_reference_trajectory_has_velocities_of_its_own() -> None:
    """A structure with momenta would make it the trajectory of the campaign."""
    parameters: dict[str, Any] = {
        "oracle": "lammps",
        "pair_style": MISHIN.pair_style,
        "pair_coeff": list(MISHIN.pair_coeff),
        "ensemble": "nve",
        "steps": 20,
    }
    config = CampaignConfig.from_parameters(parameters)
    moving = copper()
    moving.set_momenta(np.random.default_rng(1).normal(size=(32, 3)))
    frames = [reference_trajectory(config, atoms, n_frames=2) for atoms in (copper(), moving)]
    assert np.array_equal(frames[0][-1].positions, frames[1][-1].positions)
