"""The ACE basis, its linear fit, and who trains it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.universal import UniversalFields

TRAINERS = ("linear", "pacemaker")
"""Trainers that need no path."""

PLAIN = re.compile(r"[\w.+*/ -]*", re.ASCII)
"""What LAMMPS neither expands nor quotes nor takes for a second command."""


class PotentialConfig(UniversalFields):
    """Basis functions, weights of the fit, what helps it and the guard on a new generation."""

    trainer: str = Field(
        "linear",
        description="'linear', 'pacemaker' (non-linear, in an environment of its own), or 'module:factory', a callable "
        "that takes this section, the elements and a folder of kept files, and returns a trainer",
    )
    n_functions: PositiveInt = Field(100, description="basis functions per element")
    cutoff: PositiveFloat = Field(5.5, description="Å")
    radial_basis: Literal["SBessel", "ChebExpCos", "ChebPow"] = Field(
        "SBessel", description="radial functions, by pacemaker's name"
    )
    radial_parameter: PositiveFloat = Field(5.25, description="parameter of the radial functions (pacemaker)")
    nradmax_by_orders: tuple[PositiveInt, ...] = Field(
        (15, 6, 4, 2), description="largest radial index by correlation order"
    )
    lmax_by_orders: tuple[int, ...] = Field((0, 3, 2, 1), description="largest angular momentum by order")
    energy_weight: NonNegativeFloat = Field(
        2.0, description="weight of one eV/atom against one eV/Å, per force component of the structure"
    )
    force_weight: PositiveFloat = Field(1.0, description="weight of one eV/Å")
    stress_weight: NonNegativeFloat = Field(
        0.5, description="weight of one eV/atom of virial against one eV/Å, per force component"
    )
    regularisation: PositiveFloat = Field(
        1e-10, description="ridge penalty relative to the columns' mean square, dimensionless"
    )
    reference_energies: dict[str, float] = Field(
        default_factory=dict,
        description="eV, energy of one atom of each element; fitted to the first labels and pinned if empty",
    )
    baseline_style: str = Field(
        "",
        description="LAMMPS pair style under the ACE, which then learns the difference, e.g. 'zbl 1.0 2.0'; "
        "empty for none",
    )
    baseline_coeff: tuple[str, ...] = Field(
        (),
        description="arguments of its pair_coeff commands, elements in alphabetical order of types, e.g. '* * 29 29'; "
        "files of LAMMPS's own collection by name alone",
    )
    cv_folds: int = Field(5, ge=2, description="folds of the cross-validation")
    cv_tolerance: NonNegativeFloat = Field(
        4.0,
        description="share by which the cross-validated force error on the structures known before may rise "
        "with a new fit, in the median fold",
    )

    @field_validator("trainer")
    @classmethod
    def _known_or_dotted(cls, value: str) -> str:
        if value not in TRAINERS and ":" not in value:
            raise ValueError(f"must be {', '.join(map(repr, TRAINERS))} or a dotted path 'module:factory'")
        return value

    @field_validator("baseline_coeff", mode="before")
    @classmethod
    def _one_command(cls, value: object) -> object:
        """Take a string for a single command."""
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _baseline_complete(self) -> PotentialConfig:
        if bool(self.baseline_style.split()) != bool(self.baseline_coeff):
            raise ValueError(
                "a baseline needs both baseline_style and baseline_coeff, e.g. baseline_style='zbl 1.0 2.0', "
                f"baseline_coeff=['* * 29 29'], got {self.baseline_style!r} and {list(self.baseline_coeff)}"
            )
        if not PLAIN.fullmatch(self.baseline_style):
            raise ValueError(f"baseline_style must be a style and its numbers, got {self.baseline_style!r}")
        style = self.baseline_style.partition(" ")[0]
        if style.startswith(("hybrid", "pace", "zero", "none")):
            raise ValueError(f"baseline_style must be a potential that can run beside the ACE, not {style!r}")
        return self

    @model_validator(mode="after")
    def _one_baseline(self) -> PotentialConfig:
        if self.baseline_calculator and self.baseline_style:
            raise ValueError(
                f"one baseline at a time: got baseline_style={self.baseline_style!r} and "
                f"baseline_calculator={self.baseline_calculator!r}"
            )
        if self.baseline_calculator and self.reference_energies:
            raise ValueError(
                "reference_energies cannot be given with a baseline_calculator, whose energies have a zero of their "
                "own; leave them out, and they are fitted to the first labels"
            )
        return self

    @model_validator(mode="after")
    def _orders_match(self) -> PotentialConfig:
        if not self.nradmax_by_orders or len(self.nradmax_by_orders) != len(self.lmax_by_orders):
            raise ValueError(
                "nradmax_by_orders and lmax_by_orders must be equally long and not empty, got "
                f"{len(self.nradmax_by_orders)} and {len(self.lmax_by_orders)} orders"
            )
        if self.lmax_by_orders[0] != 0 or min(self.lmax_by_orders) < 0:
            raise ValueError(f"lmax_by_orders must start with 0 and hold no negative number, got {self.lmax_by_orders}")
        return self
