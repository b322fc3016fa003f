"""Stochastic thermostats are reseeded in every stretch, and sample the canonical ensemble over many of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units

from acemaker.config import EngineConfig
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.lammps import script
from acemaker.potentials.generation import Generation
from tests.conftest import copper
from tests.engines.test_inprocess import explore, make_request

TEMPERATURE = 600.0
STRETCH = 10
SETTINGS: dict[str, Any] = {"temperature": (TEMPERATURE, TEMPERATURE), "restart_every": STRETCH}
SETTINGS |= {"thermostat_time": 50, "timestep": 1.0}


def warm() -> Atoms:
    atoms = copper()
    rng = np.random.default_rng(1)
    atoms.set_momenta(rng.normal(size=(32, 3)) * np.sqrt(atoms.get_masses() * TEMPERATURE * units.kB)[:, None])
    return atoms


def ends_at(directory: Path, generation: Generation, ensemble: str, start: int) -> np.ndarray:
    """Run one stretch from the same state, starting at a given step."""
    config = EngineConfig(ensemble=ensemble, steps=start + STRETCH, trajectory_every=STRETCH, **SETTINGS)
    state = warm()
    state.info["step"] = start
    request = make_request(directory, generation, copper(), start_step=start, state=state)
    explore(config, request)
    positions: np.ndarray = read_trajectory(SegmentLog(directory).trajectory)[-1].positions
    return positions


@pytest.mark.parametrize("ensemble", ["csvr", "langevin"])
def test_two_stretches_have_other_noise(tmp_path: Path, copper_generation: Generation, ensemble: str) -> None:
    """From one state under the same conditions; repeating a stretch is bitwise identical."""
    first, second, again = (
        ends_at(tmp_path / str(number), copper_generation, ensemble, start)
        for number, start in enumerate((STRETCH, 2 * STRETCH, STRETCH))
    )
    assert np.array_equal(first, again)
    apart = np.abs(first - second).max()
    assert 1e-6 < apart < 1.0


def test_seeds_of_stretches_differ() -> None:
    seeds = [script.stretch_seed(17, step) for step in range(0, 200_000, 50)]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", ["csvr", "langevin"])
def test_temperature_and_its_fluctuation_are_canonical(
    tmp_path: Path, copper_generation: Generation, ensemble: str
) -> None:
    """Over a thousand stretches: the energy of n degrees of freedom has the variance 2/n of its mean squared."""
    config = EngineConfig(ensemble=ensemble, steps=10_000, **SETTINGS)
    outcome = explore(config, make_request(tmp_path, copper_generation, warm()))
    seen = np.array(outcome.timeline.observables["temperature_K"])[400:]
    # LAMMPS divides by 3N - 3, but Langevin's noise also moves the center of mass
    freedom = 3 * 32 if ensemble == "langevin" else 3 * 32 - 3
    expected = TEMPERATURE * freedom / (3 * 32 - 3)
    independent = len(seen) / (2 * correlation(seen))
    assert independent > 50
    assert abs(seen.mean() / expected - 1) < 4 * np.sqrt(2 / freedom / independent)
    assert abs(seen.var() / expected**2 * freedom / 2 - 1) < 4 * np.sqrt(2 / independent)


def correlation(values: np.ndarray) -> float:
    """Estimate the integrated correlation time, in samples, up to where the correlation has decayed."""
    deviations = values - values.mean()
    total = 0.5
    for lag in range(1, len(values) // 10):
        share = float(np.mean(deviations[lag:] * deviations[:-lag]) / np.mean(deviations**2))
        if share < 0.05:
            break
        total += share
    return total
