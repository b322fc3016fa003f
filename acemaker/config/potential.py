"""The ACE basis and its linear fit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from acemaker.config.base import Section


class PotentialConfig(Section):
    """Basis functions, weights of the fit and the guard on a new generation."""

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
    cv_folds: int = Field(5, ge=2, description="folds of the cross-validation")
    cv_tolerance: NonNegativeFloat = Field(
        4.0,
        description="share by which the cross-validated force error on the structures known before may rise "
        "with a new fit, in the median fold",
    )

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
