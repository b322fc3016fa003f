"""Settings of the ACE basis, its linear fit and the trainer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.universal import UniversalFields

TRAINERS = ("linear", "pacemaker")
"""Names of the built-in trainers."""

BASIS = ("n_functions", "cutoff", "lmax_by_orders", "nradmax_by_orders", "radial_basis", "radial_parameter")
"""Fields that define the basis."""

PLAIN = re.compile(r"[\w.+*/ -]*", re.ASCII)
"""Characters that LAMMPS neither expands, nor quotes, nor reads as a second command."""


class PotentialConfig(UniversalFields):
    """Basis functions, weights of the fit, baseline, pretraining, and acceptance of a new generation.

    Examples
    --------
    >>> from acemaker import PotentialConfig
    >>> PotentialConfig(n_functions=100, cutoff=5.0).cutoff
    5.0
    """

    trainer: str = Field(
        "linear",
        description="Trainer: 'linear', 'pacemaker' (non-linear, in a separate environment), or 'module:factory', a "
        "callable that takes this section, the elements and the folder of the campaign's stored files, and returns a "
        "trainer.",
    )
    basis: Literal["adaptive", "auto", "fixed"] = Field(
        "adaptive",
        description="'fixed' uses n_functions, cutoff and lmax_by_orders as they are; it is the default if one of them "
        "is set. 'adaptive' compares about ten bases after each probe whose error is above the target, by "
        "cross-validation on all labels so far, and uses the best one from then on: cutoff is the longest that is "
        "compared, n_functions the smallest number, of which there may be twice as many. 'auto' also does so for the "
        "first generation. Other trainers than 'linear' have fixed bases.",
    )
    n_functions: PositiveInt = Field(100, description="Number of basis functions per element.")
    cutoff: PositiveFloat = Field(5.5, description="Cutoff radius in Å.")
    radial_basis: Literal["SBessel", "ChebExpCos", "ChebPow"] = Field(
        "SBessel", description="Radial functions, by pacemaker's name."
    )
    radial_parameter: PositiveFloat = Field(5.25, description="Parameter of the radial functions (pacemaker).")
    nradmax_by_orders: tuple[PositiveInt, ...] = Field(
        (15, 6, 4, 2), description="Maximum radial index by correlation order."
    )
    lmax_by_orders: tuple[int, ...] = Field((0, 3, 2, 1), description="Maximum angular momentum by correlation order.")
    energy_weight: NonNegativeFloat = Field(
        2.0,
        description="Weight of an energy residual of 1 eV/atom relative to a force residual of 1 eV/Å, per force "
        "component of the structure.",
    )
    force_weight: PositiveFloat = Field(1.0, description="Weight of a force residual of 1 eV/Å.")
    stress_weight: NonNegativeFloat = Field(
        0.5,
        description="Weight of a virial residual of 1 eV/atom relative to a force residual of 1 eV/Å, per force "
        "component of the structure.",
    )
    regularization: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | Literal["auto"] = Field(
        "auto",
        description="Ridge penalty relative to the mean square of the columns, dimensionless. 'auto' chooses it at "
        "each fit between 1e-14 and 1e-4, by fits without blocks of atoms; it is 1e-10 with a single label.",
    )
    reference_energies: dict[str, float] = Field(
        default_factory=dict,
        description="Energy of an isolated atom of each element in eV, by the oracle. If empty, isolated atoms are "
        "labeled (isolated_atoms).",
    )
    isolated_atoms: bool = Field(
        True,
        description="Whether the oracle labels an isolated atom of each element at the start, whose energies become "
        "the reference energies. Otherwise, or if it cannot, they are fitted to the first labels, and an atom with "
        "fewer neighbors than any in the training set has an infinite gamma.",
    )
    isolated_box: PositiveFloat | None = Field(
        None,
        description="Edge in Å of the box of an isolated atom, which must be so large that its images do not interact; "
        "None for 30 Å with 'emt' and 'lammps', else 12 Å.",
    )
    baseline_style: str = Field(
        "",
        description="LAMMPS pair style of a baseline, e.g. 'zbl 1.0 2.0'; the ACE potential learns the difference from "
        "it. Empty for no baseline.",
    )
    baseline_coeff: tuple[str, ...] = Field(
        (),
        description="Arguments of its pair_coeff commands, e.g. '* * 29 29'. Atom types are the elements in "
        "alphabetical order; files of LAMMPS's collection of potentials need no path.",
    )
    core_repulsion: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether the universal repulsion of the nuclei (ZBL) takes the place of the ACE for an atom with a "
        "neighbor closer than 0.9 of the shortest trained distance; 'auto' if atoms attract each other less at short "
        "distances then. Only with the linear trainer and without a baseline.",
    )
    cv_folds: int = Field(5, ge=2, description="Number of folds of the cross-validation.")
    cv_tolerance: NonNegativeFloat = Field(
        4.0,
        description="Maximum relative increase of the cross-validated force error on the previously known structures "
        "in a new fit, as a fraction, in the median fold.",
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
        """Accept a string for a single command."""
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _own_numbers_win(cls, data: Any) -> Any:
        """Keep the basis fixed if a part of it is set, unless the choice between bases is set, too."""
        if not isinstance(data, Mapping) or "basis" in data:
            return data
        is_set = data.get("trainer", "linear") != "linear" or any(name in data for name in BASIS)
        return {**data, "basis": "fixed"} if is_set else data

    @model_validator(mode="after")
    def _chooses_linear_basis(self) -> PotentialConfig:
        if self.basis != "fixed" and self.trainer != "linear":
            raise ValueError(
                f"basis={self.basis!r} requires trainer='linear', got trainer={self.trainer!r}; compare bases in a "
                "campaign with trainer='linear' and set cutoff and n_functions to the best ones, or use basis='fixed'"
            )
        return self

    @model_validator(mode="after")
    def _baseline_complete(self) -> PotentialConfig:
        if bool(self.baseline_style.split()) != bool(self.baseline_coeff):
            raise ValueError(
                "a baseline needs both baseline_style and baseline_coeff, e.g. baseline_style='zbl 1.0 2.0', "
                f"baseline_coeff=['* * 29 29'], got {self.baseline_style!r} and {list(self.baseline_coeff)}"
            )
        if not PLAIN.fullmatch(self.baseline_style):
            raise ValueError(f"baseline_style must be a pair style and its numbers, got {self.baseline_style!r}")
        style = self.baseline_style.partition(" ")[0]
        if style.startswith(("hybrid", "pace", "zero", "none")):
            raise ValueError(f"baseline_style must be a potential that can be added to the ACE, got {style!r}")
        return self

    @model_validator(mode="after")
    def _one_baseline(self) -> PotentialConfig:
        if self.baseline_calculator and self.baseline_style:
            raise ValueError(
                f"only one baseline is possible, got baseline_style={self.baseline_style!r} and "
                f"baseline_calculator={self.baseline_calculator!r}"
            )
        if self.baseline_calculator and self.reference_energies:
            raise ValueError(
                "reference_energies cannot be set with a baseline_calculator, which defines its own zero of energy; "
                "omit them: isolated atoms are labeled instead, or else they are fitted to the first labels"
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
            raise ValueError(
                f"lmax_by_orders must start with 0 and contain no negative number, got {self.lmax_by_orders}"
            )
        return self
