"""Settings of molecular dynamics: ensemble, ramp, time step and checkpoints."""

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
    """Settings of the engine that runs the trajectory.

    Examples
    --------
    >>> from acemaker import EngineConfig
    >>> EngineConfig(steps=1000, temperature=(300, 1500)).temperature
    (300.0, 1500.0)
    """

    engine: Literal["inprocess", "isolated"] = Field(
        "inprocess",
        description="'inprocess' runs LAMMPS within this Python process, 'isolated' in a supervised child process.",
    )
    lammps: str = Field(
        "auto",
        description="LAMMPS of the isolated engine: the command line of a LAMMPS with ML-PACE ('lmp', 'mpiexec -n 4 "
        "lmp'), 'python' for LAMMPS's Python package in a Python child process, or 'auto' for $ACEMAKER_LMP or lmp "
        "if it has ML-PACE, else 'python'.",
    )
    n_force_processes: PositiveInt = Field(
        1,
        description="Number of processes that compute forces with LAMMPS's Python package, each for a part of the "
        "atoms. For a LAMMPS executable with ML-PACE use mpiexec instead.",
    )
    n_parallel_walkers: PositiveInt = Field(
        1,
        description="Maximum number of walkers that explore at the same time, each in its own child process. More "
        "than one requires the isolated engine.",
    )
    launcher: str = Field(
        "",
        description="Launcher of the isolated engine: a command line put before the command of each segment to choose "
        "where it runs, e.g. 'srun --exact --ntasks=1' within a job, or 'python -m acemaker.engines.dask_launcher "
        "ADDRESS'. It must forward standard input, and the campaign's folder must exist there too.",
    )
    hang_after: PositiveFloat = Field(
        600.0,
        description="Time in seconds without output after which a child process of the isolated engine counts as hung "
        "and is killed.",
    )
    ensemble: Literal["nve", "nvt", "npt", "csvr", "langevin"] = Field(
        "npt",
        description="Thermodynamic ensemble; nvt and npt use Nosé-Hoover, csvr and langevin stochastic thermostats.",
    )
    steps: PositiveInt = Field(
        5000,
        description="Number of MD steps of the whole trajectory. It can be increased later if nothing is ramped.",
    )
    timestep: PositiveFloat = Field(2.0, description="Time step in fs.")
    temperature: tuple[PositiveFloat, PositiveFloat] = Field(
        (300.0, 300.0),
        description="Temperature in K at the first and at the last step, linear in between; a single number is "
        "constant.",
    )
    pressure: tuple[float, float] = Field(
        (0.0, 0.0),
        description="Pressure in GPa at the first and at the last step, linear in between; a single number is "
        "constant.",
    )
    pressure_coupling: Literal["iso", "aniso", "tri", "x", "y", "z", "xy", "xz", "yz", "x y", "x z", "y z"] = Field(
        "iso",
        description="Degrees of freedom of the cell that the barostat changes: all lengths by one factor ('iso'), "
        "independently ('aniso'), or with the angles ('tri'); the length along x, y or z alone; two lengths by one "
        "factor ('xy') or independently ('x y'). x, y and z are the directions of the first, second and third lattice "
        "vector. A slab with vacuum along z needs 'xy' or 'x y'.",
    )
    thermostat_time: PositiveFloat = Field(100.0, description="Relaxation time of the thermostat in fs.")
    barostat_time: PositiveFloat = Field(1000.0, description="Relaxation time of the barostat in fs.")

    @model_validator(mode="after")
    def _parallel_walkers_need_isolated(self) -> EngineConfig:
        if self.n_parallel_walkers > 1 and self.engine != "isolated":
            raise ValueError(
                f"n_parallel_walkers={self.n_parallel_walkers} requires engine 'isolated', got '{self.engine}', which "
                "runs one walker at a time"
            )
        return self

    @model_validator(mode="after")
    def _launcher_needs_isolated(self) -> EngineConfig:
        if self.launcher and self.engine != "isolated":
            raise ValueError(
                f"launcher={self.launcher!r} requires engine 'isolated', got '{self.engine}', which runs in this "
                "process"
            )
        return self

    @field_validator("pressure_coupling", mode="before")
    @classmethod
    def _directions(cls, value: object) -> object:
        """Accept a list of directions, and other separators between them."""
        words = value.replace(",", " ").replace("+", " ").split() if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
            return value
        if len(words) > 1 and set(words) <= set("xyz"):
            directions = sorted(set(words))
            return "aniso" if len(directions) == 3 else " ".join(directions)
        return "".join(sorted(words[0])) if len(words) == 1 and set(words[0]) <= set("xyz") else " ".join(words)

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
        """Accept a single number for a constant value."""
        return (value, value) if isinstance(value, int | float) else value

    soft_start_steps: NonNegativeInt = Field(
        100,
        description="Number of MD steps with strong damping after a new potential, not counted as production; 0 to "
        "continue without damping. Not used in nve, which has no heat bath.",
    )
    soft_start_time: PositiveFloat = Field(100.0, description="Relaxation time of that damping in fs.")
    restart_every: PositiveInt = Field(
        50, description="Number of MD steps between checkpoints; a multiple of check_every."
    )
    trajectory_every: int = Field(
        50,
        ge=0,
        description="Number of MD steps between frames of the trajectory, a multiple of check_every; 0 for no frames.",
    )
    check_course: bool = Field(
        True,
        description="Whether the run ends with an error if temperature, pressure or volume leave their course although "
        "gamma is low: far above the ramp's temperature in K, hundreds of GPa, a third of the initial volume, or three "
        "times as much.",
    )
    skin: NonNegativeFloat = Field(1.0, description="Skin distance of the neighbor list in Å.")
