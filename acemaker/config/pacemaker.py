"""Settings of the non-linear fit by pacemaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from acemaker.config.base import Section


class PacemakerConfig(Section):
    """Densities and optimizer of trainer 'pacemaker'; basis and weights are those of the linear fit.

    Examples
    --------
    >>> from acemaker import PacemakerConfig
    >>> PacemakerConfig(first_iterations=100).first_iterations
    100
    """

    pacemaker_environment: str = Field(
        "",
        description="Folder of the environment created by 'make pacemaker', or a Python executable with pacemaker. If "
        "empty, $ACEMAKER_PACEMAKER, .pacemaker and ~/.cache/acemaker/pacemaker are searched.",
    )
    densities: Literal[1, 2] = Field(
        2, description="Number of densities per atom; the second enters by its square root (Finnis and Sinclair)."
    )
    first_start: Literal["linear", "zero"] = Field(
        "linear",
        description="Initial coefficients of the first generation: those of the linear fit in the same functions, or "
        "zero.",
    )
    optimizer: Literal["BFGS", "L-BFGS-B"] = Field(
        "BFGS",
        description="Optimizer of the fit. Use L-BFGS-B for thousands of parameters, since BFGS stores their full "
        "Hessian.",
    )
    first_iterations: PositiveInt = Field(
        300, description="Maximum number of optimizer iterations in the fit of the first generation."
    )
    fit_iterations: PositiveInt = Field(
        100, description="Maximum number of optimizer iterations in fits that start from an earlier generation."
    )
    l2_penalty: NonNegativeFloat = Field(1e-8, description="Penalty on the sum of squared coefficients, dimensionless.")
    ladder_step: NonNegativeInt = Field(
        0,
        description="Number of functions that each step adds in the fit of the first generation, with first_iterations "
        "per step; requires first_start='zero'. 0 fits all functions at once.",
    )

    @model_validator(mode="after")
    def _ladder_from_zero(self) -> PacemakerConfig:
        if self.ladder_step and self.first_start != "zero":
            raise ValueError(
                "ladder_step requires first_start='zero', got "
                f"ladder_step={self.ladder_step}, first_start={self.first_start!r}"
            )
        return self
