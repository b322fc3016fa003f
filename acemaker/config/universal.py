"""Cheap calculators that help a fit: under it, or before it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, field_validator

from acemaker.config.base import Section


class UniversalFields(Section):
    """A universal potential as a baseline, and for pretraining; these fields are part of `PotentialConfig`."""

    baseline_calculator: str = Field(
        "",
        description="'module:factory', a callable that returns an ASE calculator to run under the ACE, e.g. "
        "'acemaker.oracles.universal:sevennet'; asked at every MD step. Empty for none",
    )
    baseline_arguments: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of that factory")
    pretrain_calculator: str = Field(
        "",
        description="'module:factory', a callable that returns an ASE calculator whose labels of structures around the "
        "first one are what the fit starts from; empty for none",
    )
    pretrain_arguments: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of that factory")
    pretrain_structures: PositiveInt = Field(60, description="structures that it labels, before generation 0")

    @field_validator("baseline_calculator", "pretrain_calculator")
    @classmethod
    def _path(cls, value: str) -> str:
        if value and ":" not in value:
            raise ValueError("must be empty or a dotted path 'module:factory'")
        return value
