"""The on-the-fly loop: when to halt, what to make, how much to label."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.base import Section


class OTFConfig(Section):
    """Thresholds, candidates, selection and the bounds of the loop."""

    threshold_add_train: PositiveFloat = Field(
        2.0, description="gamma above which an atom belongs to the epicentre, dimensionless"
    )
    threshold_call_dft: PositiveFloat = Field(
        5.0, description="gamma above which checks in a row halt the run, dimensionless"
    )
    threshold_break: PositiveFloat = Field(20.0, description="gamma that halts the run at once, dimensionless")
    check_every: PositiveInt = Field(5, description="MD steps between two looks at gamma")
    smooth_steps: PositiveInt = Field(3, description="checks in a row above threshold_call_dft that halt the run")
    resume_from: Literal["safe", "halt", "structure"] = Field(
        "safe",
        description="go on from the last safe state, or from the halt itself (break tier: always safe); 'structure': "
        "from positions and velocities alone, where another machine or LAMMPS cannot read the restart files",
    )
    n_candidates: PositiveInt = Field(15, description="structures made around the halted one, itself included")
    strategies: dict[str, PositiveFloat] = Field(
        default_factory=lambda: {"random_displacement": 1.0},
        min_length=1,
        description="how candidates are made, and in what shares: random_displacement, normal_modes, md_burst, "
        "strain, or 'module:function' for a strategy of your own",
    )
    candidate_radius: PositiveFloat = Field(
        6.0, description="Å, around each atom of the epicentre: what lies within may move in candidates"
    )
    candidate_temperature: PositiveFloat | None = Field(
        None, description="K, of normal modes and bursts; None for that of the ramp at the halt"
    )
    perturbation_scale: PositiveFloat = Field(0.05, description="Å, standard deviation of a random displacement")
    mode_atoms: PositiveInt = Field(
        20, description="atoms nearest to the worst one that normal modes move; each costs six evaluations of forces"
    )
    mode_calculator: str = Field(
        "",
        description="'module:factory', a callable that returns an ASE calculator (EMT, a universal potential) whose "
        "Hessian gives the normal modes; empty for the current potential",
    )
    burst_steps: PositiveInt = Field(20, description="steps of 1 fs in a burst of molecular dynamics")
    strain_scale: float = Field(
        0.02, gt=0, lt=0.3, description="standard deviation of a strain's diagonal, dimensionless"
    )
    min_distance_fraction: float = Field(
        0.65,
        gt=0,
        lt=1,
        description="smallest pair distance allowed, as a share of the sum of covalent radii",
    )
    n_select: PositiveInt = Field(
        1,
        description="structures labelled a halt, the halted one included; more of them teach little for what they cost",
    )
    max_labels: PositiveInt | None = Field(
        None,
        description="labels that the campaign may use, of generation 0 and of a store included; None for any number",
    )
    max_otf_iterations: PositiveInt = Field(100, description="halts that the campaign may heal")
    max_stalled_halts: int = Field(
        5,
        ge=2,
        description="halts in a row that get no further (by smooth_steps checks, from the same checkpoint); then the "
        "campaign ends with an error that says what it looks like",
    )
    max_retries: NonNegativeInt = Field(
        2, description="further tries per structure after a failed label, and per halt after a rejected fit"
    )

    @field_validator("mode_calculator")
    @classmethod
    def _dotted(cls, value: str) -> str:
        if value and ":" not in value:
            raise ValueError("must be empty or a dotted path 'module:factory'")
        return value

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> OTFConfig:
        low, call, high = self.threshold_add_train, self.threshold_call_dft, self.threshold_break
        if not low <= call <= high:
            raise ValueError(
                "thresholds must satisfy threshold_add_train <= threshold_call_dft <= threshold_break, "
                f"got threshold_add_train={low:g}, threshold_call_dft={call:g}, threshold_break={high:g}"
            )
        if self.n_select > self.n_candidates:
            raise ValueError(
                f"n_select must not exceed n_candidates, got {self.n_select} of {self.n_candidates}; "
                "lower n_select or raise n_candidates"
            )
        return self
