"""Criteria for the convergence of a campaign."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, PositiveInt

from acemaker.config.base import Section


class ConvergenceConfig(Section):
    """Criteria by which a campaign counts as good enough and converged; they do not influence the run.

    Examples
    --------
    >>> from acemaker import ConvergenceConfig
    >>> ConvergenceConfig(quiet_steps=5000).quiet_steps
    5000
    """

    quiet_steps: PositiveInt = Field(1000, description="MD steps that each walker must run without a halt.")
    quiet_walkers: PositiveInt = Field(1, description="Minimum number of walkers.")
    plateau_generations: PositiveInt = Field(
        3, ge=2, description="Number of latest generations whose held-out errors must agree."
    )
    plateau_tolerance: PositiveFloat = Field(
        0.2, description="Maximum relative difference of the largest of these errors from the smallest, as a fraction."
    )
    target_force_error: PositiveFloat = Field(
        0.05,
        description="Force error at which the potential is good enough, root mean square over components, measured on "
        "the probes of the run: below 1, a fraction of the root mean square of the force components; from 1 on, meV/Å.",
    )
    max_error_share: PositiveFloat = Field(
        0.25,
        description="Maximum held-out force error of a potential that describes its system, as a fraction of the root "
        "mean square of the force components of the latest labels.",
    )

    @property
    def target_share(self) -> float | None:
        """Target as a fraction of the forces; None if it is in meV/Å."""
        return self.target_force_error if self.target_force_error < 1 else None
