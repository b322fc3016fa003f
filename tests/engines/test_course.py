"""Runaways: real runs that leave their course although gamma is low, and usual ones that do not."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import kB

from acemaker import Campaign, CampaignConfig
from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.course import N_CHECKS, Course, temperature_of
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Engine, Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.errors import EngineError, RunawayError
from acemaker.potentials.generation import Generation
from acemaker.states import State
from tests.conftest import copper, small_basis

DEAF = OTFConfig(threshold_add_train=1e9, threshold_call_dft=1e9, threshold_break=1e12)
"""Thresholds that gamma does not exceed, so that nothing but the course ends a run."""

STRETCHED = {"ensemble": "npt", "pressure": -30.0, "barostat_time": 1000.0}
"""A tension that no copper bears: its cell expands without end, while atoms without neighbors have a low gamma."""


@pytest.fixture(params=["inprocess", "python", "native"])
def lammps(request: pytest.FixtureRequest) -> str:
    """The LAMMPS of the engine; the in-process engine if empty."""
    if request.param == "native":
        return str(request.getfixturevalue("native_lammps"))
    return "" if request.param == "inprocess" else str(request.param)


def explore(
    lammps: str, directory: Path, generation: Generation, structure: Atoms | None = None, **settings: Any
) -> Exploration:
    values: dict[str, Any] = {"steps": 200, "restart_every": 20, "trajectory_every": 0, "temperature": 300}
    if lammps:
        values |= {"engine": "isolated", "lammps": lammps}
    config = EngineConfig(**values | settings)
    engine: Engine = IsolatedEngine(config, 1) if lammps else InProcessEngine(config, 1)
    request = Request(
        number=1,
        structure=copper() if structure is None else structure,
        start_step=0,
        checkpoint=None,
        generation=generation,
        rule=DEAF,
        directory=directory,
    )
    try:
        return engine.explore(request)
    finally:
        engine.close()


def test_a_cell_that_expands_without_end_is_ended_with_its_last_safe_state(
    tmp_path: Path, copper_generation: Generation, lammps: str
) -> None:
    words = r"volume .* Å³ at step \d+, where the initial structure has 377.9 Å³ and the limit is 1134 Å³"
    with pytest.raises(RunawayError, match=words) as caught:
        explore(lammps, tmp_path / "1", copper_generation, **STRETCHED)
    error = caught.value
    checks = SegmentLog(tmp_path / "1").checks
    outside = [check.step for check in checks if check.observables["volume_A3"] > 3 * error.target]
    assert len(outside) == N_CHECKS
    assert error.step == outside[-1] == checks[-1].step
    assert (error.quantity, error.value) == ("volume", checks[-1].observables["volume_A3"])
    assert error.safe_checkpoint is not None
    assert error.safe_checkpoint.exists()
    assert outside[0] - 20 <= error.safe_step < outside[0]
    assert f"the last safe state is that of step {error.safe_step}" in str(error).lower()
    assert "check_course=False" in str(error)
    with pytest.raises(RunawayError) as again:  # continued from its last checkpoint, as after a kill
        explore(lammps, tmp_path / "1", copper_generation, **STRETCHED)
    assert str(again.value) == str(error)


def test_a_temperature_that_explodes(tmp_path: Path, copper_generation: Generation, lammps: str) -> None:
    """Atoms that start almost on top of each other fly apart."""
    start = copper()
    start.rattle(0.75, seed=1)
    with pytest.raises(RunawayError, match=r"temperature .* K at step \d+, where the target is 300 K") as caught:
        explore(lammps, tmp_path / "1", copper_generation, start, ensemble="nve", timestep=1.0)
    assert caught.value.value > 5000
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.quantity, copy.step, copy.safe_step) == ("temperature", caught.value.step, caught.value.safe_step)


def test_atoms_that_are_lost_between_two_checks(tmp_path: Path, copper_generation: Generation, lammps: str) -> None:
    with pytest.raises(RunawayError, match=r"LAMMPS stopped .*Lost atoms.* time step of 60 fs is too long"):
        explore(lammps, tmp_path / "1", copper_generation, ensemble="nvt", timestep=60.0)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt", "csvr", "langevin"])
@pytest.mark.parametrize("n_atoms", [4, 8, 32])
def test_small_cells_stay_on_their_course(
    tmp_path: Path, copper_generation: Generation, ensemble: str, n_atoms: int
) -> None:
    """Their temperature fluctuates by up to half of its value."""
    repeat = {4: (1, 1, 1), 8: (2, 1, 1), 32: (2, 2, 2)}[n_atoms]
    start = bulk("Cu", cubic=True).repeat(repeat)
    outcome = explore("", tmp_path, copper_generation, start, ensemble=ensemble, temperature=(20, 2000), steps=400)
    assert outcome.end_step == 400


def heated(atoms: Atoms, temperature: float) -> Atoms:
    """Give atoms velocities without a total momentum, K."""
    momenta = np.random.default_rng(1).normal(size=(len(atoms), 3))
    momenta -= momenta.mean(axis=0)
    energy = float((momenta**2 / atoms.get_masses()[:, None]).sum())
    atoms.set_momenta(momenta * np.sqrt((3 * len(atoms) - 3) * kB * temperature / energy))
    return atoms


def test_a_hot_start_is_cooled(tmp_path: Path, copper_generation: Generation) -> None:
    settings: dict[str, Any] = {"ensemble": "nvt", "temperature": (3000, 10)}
    assert explore("", tmp_path, copper_generation, heated(copper(), 3000), **settings).end_step == 200


def usual(**changes: Any) -> dict[str, float]:
    return {"temperature_K": 300.0, "pressure_GPa": 0.0, "volume_A3": 378.0, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature_K": 1e5},
        {"temperature_K": float("inf")},
        {"pressure_GPa": 800.0},
        {"pressure_GPa": -800.0},
        {"volume_A3": 1200.0},
        {"volume_A3": 100.0},
    ],
)
def test_three_checks_in_a_row_are_a_departure(changes: dict[str, float]) -> None:
    course = Course(EngineConfig(steps=1000), copper())
    assert course.update(0, usual()) is None
    for step in (5, 10, 20, 25):  # interrupted in between
        assert course.update(step, usual(**changes)) is None
        if step == 10:
            assert course.update(15, usual()) is None
            assert course.first_step is None
    departure = course.update(30, usual(**changes))
    assert departure is not None
    assert departure.value == next(iter(changes.values()))
    assert course.first_step == 20


@pytest.mark.parametrize(
    ("settings", "structure", "observables"),
    [
        ({"temperature": (300, 3000)}, copper(), {"temperature_K": 4000.0}),  # energy that the start releases
        ({"temperature": (3000, 300)}, copper(), {"temperature_K": 9000.0}),  # cooled quickly
        ({"temperature": (1500, 1500)}, bulk("Cu", cubic=True), {"temperature_K": 9000.0, "volume_A3": 48.0}),
        ({"pressure": (900, 900)}, copper(), {"pressure_GPa": 1200.0}),
        ({"ensemble": "nvt"}, copper(), {"volume_A3": 2000.0}),  # nothing changes it
        ({}, bulk("Ar", a=40.0, cubic=True), {"volume_A3": 2e6}),  # a gas
        ({}, bulk("Ar", a=40.0, cubic=True), {"volume_A3": 200.0}),  # that condenses
        ({"ensemble": "nvt"}, molecule("H2O"), {"pressure_GPa": 1e4}),  # no periodic cell
        ({}, copper(), dict.fromkeys(usual(), float("nan"))),
    ],
)
def test_what_is_no_departure(settings: dict[str, Any], structure: Atoms, observables: dict[str, float]) -> None:
    course = Course(EngineConfig(steps=1000, **settings), structure)
    assert all(course.update(step, usual(**observables)) is None for step in range(0, 500, 5))


def test_the_pressure_with_which_a_run_begins_is_intended() -> None:
    course = Course(EngineConfig(steps=1000, ensemble="nvt"), copper())
    assert all(course.update(step, usual(pressure_GPa=900.0)) is None for step in range(0, 100, 5))
    assert any(course.update(step, usual(pressure_GPa=4000.0)) for step in range(100, 200, 5))


def test_the_temperature_of_a_frame() -> None:
    atoms = copper()
    assert np.isnan(temperature_of(atoms))
    assert temperature_of(heated(atoms, 500)) == pytest.approx(500)


def test_a_campaign_ends_before_another_label_is_paid(tmp_path: Path) -> None:
    settings = {"oracle": "emt", "supercell": (2, 2, 2), "steps": 100, "ensemble": "nvt", "timestep": 60.0}
    config = CampaignConfig.from_parameters({**settings, **small_basis().model_dump()})
    with Campaign.create(tmp_path / "c", config) as campaign:
        with pytest.raises(RunawayError, match=r"LAMMPS stopped .*The last safe state is that of step 0") as caught:
            campaign.run()
        n_labels = campaign.progress.n_labels
        assert campaign.state is State.FAILED
    with Campaign.open(tmp_path / "c") as campaign:
        with pytest.raises(RunawayError) as again:
            campaign.run()
        assert str(again.value) == str(caught.value)
        assert campaign.progress.n_labels == n_labels
    with Campaign.open(tmp_path / "c", check_course=False) as campaign:
        with pytest.raises(EngineError, match="LAMMPS stopped in segment 1") as unchecked:
            campaign.run()
        assert not isinstance(unchecked.value, RunawayError)
