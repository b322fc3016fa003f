"""Settings of cheap calculators that support a fit, as a baseline or for pretraining."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, field_validator

from acemaker.config.base import Section


class UniversalFields(Section):
    """A universal potential as a baseline and for pretraining; these fields are part of `PotentialConfig`."""

    baseline_calculator: str = Field(
        "",
        description="Baseline calculator: 'module:factory', a callable that returns an ASE calculator, e.g. "
        "'acemaker.oracles.universal:sevennet'. It is evaluated at every MD step, and the ACE potential learns the "
        "difference from it. Empty for none.",
    )
    baseline_arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of that factory.")
    pretrain_calculator: str = Field(
        "",
        description="Calculator for pretraining: 'module:factory', a callable that returns an ASE calculator. The fit "
        "starts from its labels of structures around the first one. Empty for no pretraining.",
    )
    pretrain_arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of that factory.")
    pretrain_structures: PositiveInt = Field(
        60, description="Number of structures that it labels before the first generation."
    )

    @field_validator("baseline_calculator", "pretrain_calculator")
    @classmethod
    def _is_dotted_path(cls, value: str) -> str:
        if value and ":" not in value:
            raise ValueError("must be empty or a dotted path 'module:factory'")
        return value
