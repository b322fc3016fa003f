"""When a campaign counts as converged."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from acemaker.config.base import Section


class ConvergenceConfig(Section):
    """What must hold for a campaign to say that more of the same would teach it nothing; it changes no run."""

    quiet_steps: PositiveInt = Field(1000, description="MD steps without a halt, of each walker")
    quiet_walkers: PositiveInt = Field(1, description="walkers that there must be, all of them quiet for so long")
    plateau_generations: PositiveInt = Field(
        3, ge=2, description="latest generations whose held-out errors must agree with each other"
    )
    plateau_tolerance: PositiveFloat = Field(
        0.2, description="by which share the largest of these errors may be above the least"
    )
