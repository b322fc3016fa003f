from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker.config import EngineConfig
from acemaker.errors import ConfigError
from acemaker.lammps import script
from acemaker.lammps.library import open_lammps


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt", "csvr", "langevin"])
@pytest.mark.parametrize("coupling", ["iso", "aniso", "tri"])
def test_lammps_runs_every_ensemble(ensemble: str, coupling: str) -> None:
    config = EngineConfig(ensemble=ensemble, pressure_coupling=coupling, temperature=(300, 600), pressure=(0, 1))
    lmp = open_lammps()
    commands = [
        *script.header_commands(True),
        *script.box_commands(np.diag([8.0, 9.0, 10.0]), ["Cu", "Ni"], triclinic=True),
        "create_atoms 1 random 8 1 whole overlap 2.0 maxtry 1000",
        *script.neighbor_commands(1.0),
        *script.callback_commands(4.0),
        *script.velocity_commands(300, 7),
        *script.ensemble_commands(config, 7),
        *script.output_commands(config, 5),
        "unfix ace",  # no callback is registered here
        script.run_command(20, 100),
    ]
    for command in commands:
        lmp.command(command)
    assert lmp.extract_global("ntimestep") == 20
    lmp.close()


def test_commands_are_pure_functions() -> None:
    config = EngineConfig(ensemble="npt", temperature=(300, 600), pressure=(0, 1))
    assert script.ensemble_commands(config, 7) == script.ensemble_commands(config, 7)
    assert script.ensemble_commands(config, 7) == [
        "fix ensemble all npt temp 300 600 0.10000000000000001 iso 0 10000 1 fixedpoint 0 0 0"
    ]


def test_a_ramp_spans_the_whole_trajectory() -> None:
    assert script.run_command(150, 5000) == "run 150 upto start 0 stop 5000"


@pytest.mark.parametrize("name", ['a"b', "a*b", "a%b", "a\nrun 5", "Müller", "研究", "a\udcffb"])
def test_paths_that_lammps_would_misread_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="choose another directory"):
        script.quote(Path(name))


def test_seeds_differ_by_what_they_are_for() -> None:
    seeds = {script.random_seed(1, number) for number in range(100)} | {script.random_seed(2, 0)}
    assert len(seeds) == 101
    assert all(0 < seed <= 900_000_000 for seed in seeds)
