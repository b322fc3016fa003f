"""Settings of the stages of a trajectory, which follow one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from acemaker.config.base import Section
from acemaker.config.conditions import either_order
from acemaker.config.ensemble import Component, Ensemble, constant_components, directions, without_berendsen


class StageConfig(Section):
    """Length of one stage, and values in which it differs from the campaign; None means the value of the campaign.

    Examples
    --------
    >>> from acemaker.config import StageConfig
    >>> StageConfig(steps=5000, ensemble="npt", temperature=(300, 1500)).temperature
    (300.0, 1500.0)
    """

    steps: PositiveInt = Field(description="Number of MD steps of the stage.")
    ensemble: Ensemble | None = Field(None, description="Thermodynamic ensemble, as in EngineConfig.")
    temperature: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None,
        description="Temperature in K at the first and at the last step of the stage; a single number is constant.",
    )
    pressure: tuple[float, float] | None = Field(
        None, description="Pressure in GPa at the first and at the last step of the stage; a single number is constant."
    )
    pressure_coupling: Literal["iso", "aniso", "tri", "x", "y", "z", "xy", "xz", "yz", "x y", "x z", "y z"] | None = (
        Field(None, description="Degrees of freedom that the barostat changes, as in EngineConfig.")
    )
    pressure_components: dict[Component, tuple[float, float]] | None = Field(
        None, description="Pressure in GPa of single components, as in EngineConfig."
    )
    strain_rates: dict[Component, float] | None = Field(
        None, description="Rate in 1/ps at which the cell is deformed, relative to its initial lengths."
    )

    @field_validator("ensemble", mode="before")
    @classmethod
    def _without_berendsen(cls, value: object) -> object:
        return without_berendsen(value)

    @field_validator("temperature", "pressure", mode="before")
    @classmethod
    def _constant(cls, value: object) -> object:
        """Accept a single number for a constant value."""
        return (value, value) if isinstance(value, int | float) else value

    @field_validator("pressure_coupling", mode="before")
    @classmethod
    def _directions(cls, value: object) -> object:
        return directions(value)

    @field_validator("pressure_components", mode="before")
    @classmethod
    def _constant_components(cls, value: object) -> object:
        return constant_components(value)

    @field_validator("strain_rates", mode="before")
    @classmethod
    def _either_order(cls, value: object) -> object:
        return either_order(value)


def set_by_all(stages: Sequence[StageConfig], names: Iterable[str]) -> list[str]:
    """Return those of some fields that every stage sets, so that a value for the whole trajectory has no effect.

    Examples
    --------
    >>> set_by_all([StageConfig(steps=50, temperature=300), StageConfig(steps=50, temperature=600)], ["temperature"])
    ['temperature']
    >>> set_by_all([], ["temperature"])
    []
    """
    own = [name for name in names if name in StageConfig.model_fields and name != "steps"]
    return [name for name in own if stages and all(getattr(stage, name) is not None for stage in stages)]
