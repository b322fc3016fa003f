"""Several trajectories that explore together: in what each of them differs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from acemaker.config.base import Section


class WalkerConfig(Section):
    """In what one walker differs from the campaign; what is not given is the campaign's.

    One that gives nothing differs in its random numbers: in the velocities with which it starts, and in the arrangement
    of a random alloy.
    """

    seed: int | None = Field(None, ge=0, description="of its random numbers; derived from the campaign's if none")
    structure: str | None = Field(None, description="chemical symbol of a crystal, or a structure file that ASE reads")
    crystal: str | None = Field(None, description="crystal structure by ASE's name (fcc, bcc, hcp, diamond, ...)")
    lattice_constant: PositiveFloat | None = Field(None, description="Å")
    supercell: tuple[int, int, int] | None = Field(
        None, description="repeats of the cubic cell, or of a file's; a file of its own is taken as it is if none"
    )
    composition: dict[str, float] | None = Field(None, description="fractions of the elements of a random alloy")
    ensemble: Literal["nve", "nvt", "npt", "csvr", "langevin"] | None = Field(None, description="as the campaign's")
    temperature: tuple[PositiveFloat, PositiveFloat] | None = Field(
        None, description="K, at the first and at the last step, or one that stays"
    )
    pressure: tuple[float, float] | None = Field(
        None, description="GPa, at the first and at the last step, or one that stays"
    )

    @field_validator("temperature", "pressure", mode="before")
    @classmethod
    def _constant(cls, value: object) -> object:
        """Take one number for a value that stays."""
        return (value, value) if isinstance(value, int | float) else value
