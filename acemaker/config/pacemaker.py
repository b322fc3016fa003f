"""The non-linear fit by pacemaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from acemaker.config.base import Section


class PacemakerConfig(Section):
    """Densities and optimiser of `potential.trainer = 'pacemaker'`; basis and weights are those of the linear fit."""

    pacemaker_environment: str = Field(
        "",
        description="folder of the environment that `make pacemaker` made, or a Python that has pacemaker; looked for "
        "in $ACEMAKER_PACEMAKER, .pacemaker and ~/.cache/acemaker/pacemaker if empty",
    )
    densities: Literal[1, 2] = Field(
        2, description="densities of an atom; the second enters by its square root (Finnis and Sinclair)"
    )
    first_start: Literal["linear", "zero"] = Field(
        "linear", description="what generation 0 starts from: the linear fit in the same functions, or nothing"
    )
    optimiser: Literal["BFGS", "L-BFGS-B"] = Field(
        "BFGS", description="'L-BFGS-B' where there are thousands of parameters, whose Hessian BFGS keeps as a whole"
    )
    first_iterations: PositiveInt = Field(300, description="of the optimiser, in the fit of generation 0")
    fit_iterations: PositiveInt = Field(100, description="of the optimiser, in fits that start from a generation")
    l2_penalty: NonNegativeFloat = Field(1e-8, description="penalty on the sum of squared coefficients, dimensionless")
    ladder_step: NonNegativeInt = Field(
        0,
        description="functions that join the fit of generation 0 at a time, first_iterations each, from first_start = "
        "'zero'; 0 for all at once",
    )

    @model_validator(mode="after")
    def _ladder_from_zero(self) -> PacemakerConfig:
        if self.ladder_step and self.first_start != "zero":
            raise ValueError(
                "a ladder starts from nothing: with ladder_step give first_start='zero', got "
                f"ladder_step={self.ladder_step}, first_start={self.first_start!r}"
            )
        return self
