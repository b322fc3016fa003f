"""What labels the structures."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveFloat, field_validator, model_validator

from acemaker.config.base import Section


class OracleConfig(Section):
    """The calculator that labels, by name, and the bounds of a credible label."""

    oracle: str = Field(
        "lammps",
        description="'emt', 'lammps', or 'module:factory', a callable that returns an ASE calculator",
    )
    pair_style: str = Field("", description="LAMMPS pair style of the 'lammps' oracle")
    pair_coeff: tuple[str, ...] = Field(
        (),
        description="arguments of its pair_coeff commands, elements in alphabetical order of types; files of "
        "LAMMPS's own collection by name alone",
    )
    oracle_arguments: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the factory")
    max_force: PositiveFloat = Field(100.0, description="eV/Å, a label with a larger force is taken to be wrong")

    @field_validator("pair_coeff", mode="before")
    @classmethod
    def _one_command(cls, value: object) -> object:
        """Take a string for a single command."""
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> OracleConfig:
        if self.oracle == "lammps" and not (self.pair_style and self.pair_coeff):
            raise ValueError(
                "the 'lammps' oracle needs pair_style and pair_coeff, e.g. pair_style='eam/alloy', "
                "pair_coeff=['* * Cu_mishin1.eam.alloy Cu']"
            )
        if self.oracle not in ("emt", "lammps") and ":" not in self.oracle:
            raise ValueError(f"oracle must be 'emt', 'lammps' or a dotted path 'module:factory', got {self.oracle!r}")
        return self
