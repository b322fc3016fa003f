"""The non-linear fit by pacemaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from acemaker.config.base import Section


class PacemakerConfig(Section):
    """Embedding and optimiser of `potential.trainer = 'pacemaker'`; basis and weights are those of the linear fit."""

    pacemaker_environment: str = Field(
        "",
        description="folder of the environment that `make pacemaker` made, or a Python that has pacemaker; looked for "
        "in $ACEMAKER_PACEMAKER, .pacemaker and ~/.cache/acemaker/pacemaker if empty",
    )
    densities: Literal[1, 2] = Field(
        2, description="densities of an atom; the second enters by its square root (Finnis-Sinclair)"
    )
    pacemaker_embedding: Literal["FinnisSinclair", "FinnisSinclairShiftedScaled"] = Field(
        "FinnisSinclairShiftedScaled", description="how densities become energies, by pacemaker's name"
    )
    optimiser: Literal["BFGS", "L-BFGS-B"] = Field(
        "BFGS", description="'L-BFGS-B' where there are thousands of parameters, whose Hessian BFGS keeps as a whole"
    )
    first_iterations: PositiveInt = Field(300, description="of the optimiser, in the fit of generation 0")
    fit_iterations: PositiveInt = Field(100, description="of the optimiser, in fits that start from a generation")
    l2_penalty: NonNegativeFloat = Field(1e-8, description="penalty on the sum of squared coefficients, dimensionless")
    ladder_step: NonNegativeInt = Field(
        0, description="functions that join the fit of generation 0 at a time, first_iterations each; 0 for all at once"
    )
