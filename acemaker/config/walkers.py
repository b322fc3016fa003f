"""Settings of the walkers of a campaign, i.e. of trajectories that explore together."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, field_validator

from acemaker.config.base import Section
from acemaker.config.ensemble import Ensemble, without_berendsen
from acemaker.config.stages import StageConfig
from acemaker.config.system import LengthUnit, by_type


class WalkerConfig(Section):
    """Values in which one walker differs from the campaign; None means the value of the campaign.

    A walker without values differs only in its random numbers: in its initial velocities, and in the arrangement of a
    random alloy.

    Examples
    --------
    >>> from acemaker import WalkerConfig
    >>> WalkerConfig(seed=2, temperature=(900, 900)).seed
    2
    """

    seed: int | None = Field(
        None, ge=0, description="Seed of its random numbers. None derives it from the campaign's seed."
    )
    structure: str | None = Field(
        None,
        description="Chemical symbol or formula of a crystal, or a structure file, optionally with a frame (file@5).",
    )
    crystal: str | None = Field(
        None, description="Crystal structure by ASE's name (fcc, bcc, hcp, diamond, rocksalt, ...)."
    )
    lattice_constant: PositiveFloat | None = Field(None, description="Lattice constant a in Å.")
    c_over_a: PositiveFloat | None = Field(
        None, description="Ratio c/a of the lattice constants of hcp, wurtzite or bct, dimensionless."
    )
    supercell: tuple[int, int, int] | None = Field(
        None,
        description="Numbers of repeats of the cubic cell, or of the cell of a structure file. For a walker with its "
        "own structure file, None means no repeats.",
    )
    composition: dict[str, float] | None = Field(None, description="Fractions of the elements of a random alloy.")
    format: str | None = Field(None, description="Format of its structure file by ASE's name.")
    atom_style: str | None = Field(None, description="LAMMPS's atom style of its data file.")
    elements: tuple[str, ...] | None = Field(
        None, description="Elements of the atom types of its LAMMPS file, in the order of the types."
    )
    length_unit: LengthUnit | None = Field(
        None, description="Unit of lengths in its structure file, as in SystemConfig."
    )
    ensemble: Ensemble | None = Field(None, description="Thermodynamic ensemble, as in EngineConfig.")
    temperature: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="Temperature in K at the first and at the last step; a single number is constant."
    )
    pressure: tuple[float, float] | None = Field(
        None, description="Pressure in GPa at the first and at the last step; a single number is constant."
    )
    stages: tuple[StageConfig, ...] | None = Field(
        None, description="Stages of its trajectory, as in EngineConfig, with as many steps as the campaign has."
    )

    @field_validator("ensemble", mode="before")
    @classmethod
    def _without_berendsen(cls, value: object) -> object:
        return without_berendsen(value)

    @field_validator("elements", mode="before")
    @classmethod
    def _by_type(cls, value: object) -> object:
        return by_type(value)

    @field_validator("temperature", "pressure", mode="before")
    @classmethod
    def _constant(cls, value: object) -> object:
        """Accept a single number for a constant value."""
        return (value, value) if isinstance(value, int | float) else value
