"""Settings of the on-the-fly loop: when to halt, how to generate candidates, how many to label."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from acemaker.config.base import Section

MEASURES = ("gamma", "force_error")
"""Measures of uncertainty that need no code of the user."""


class OTFConfig(Section):
    """Thresholds, candidates, selection and limits of the loop.

    Examples
    --------
    >>> from acemaker import OTFConfig
    >>> OTFConfig(threshold_call_dft=1.0)  # below threshold_add_train
    Traceback (most recent call last):
        ...
    acemaker.errors.ConfigError: ...
    """

    threshold_add_train: PositiveFloat = Field(
        2.0, description="Gamma above which an atom belongs to the epicenter, dimensionless."
    )
    threshold_call_dft: PositiveFloat = Field(
        5.0, description="Gamma that halts the run when exceeded at smooth_steps consecutive checks, dimensionless."
    )
    threshold_break: PositiveFloat = Field(
        20.0, description="Gamma above which the run halts immediately, dimensionless."
    )
    check_every: PositiveInt = Field(5, description="Number of MD steps between checks of gamma.")
    smooth_steps: PositiveInt = Field(
        3, description="Number of consecutive checks above threshold_call_dft that halt the run."
    )
    resume_from: Literal["safe", "halt", "structure"] = Field(
        "safe",
        description="State from which the run resumes: 'safe', the last safe state; 'halt', the halt itself (the last "
        "safe state after threshold_break); 'structure', positions and velocities alone, if another machine or LAMMPS "
        "cannot read the restart files.",
    )
    n_candidates: PositiveInt = Field(15, description="Number of candidates per halt, including the halted structure.")
    strategies: dict[str, PositiveFloat] = Field(
        default_factory=lambda: {"random_displacement": 1.0},
        min_length=1,
        description="Strategies that generate candidates, with relative weights: random_displacement, normal_modes, "
        "md_burst, strain, or 'module:function' for a strategy of your own.",
    )
    candidate_radius: PositiveFloat = Field(
        6.0, description="Radius in Å around each atom of the epicenter within which atoms may move in candidates."
    )
    candidate_temperature: PositiveFloat | None = Field(
        None,
        description="Temperature in K of normal modes and of MD bursts. None uses the temperature of the ramp at the "
        "halt.",
    )
    perturbation_scale: PositiveFloat = Field(0.05, description="Standard deviation of random displacements in Å.")
    mode_atoms: PositiveInt = Field(
        20,
        description="Number of atoms, nearest to the atom with the largest gamma, that normal modes move. Each costs "
        "six evaluations of forces.",
    )
    mode_calculator: str = Field(
        "",
        description="Calculator whose Hessian yields the normal modes: 'module:factory', a callable that returns an "
        "ASE calculator (EMT, a universal potential). Empty for the current potential.",
    )
    burst_steps: PositiveInt = Field(20, description="Number of steps of 1 fs in an MD burst.")
    strain_scale: float = Field(
        0.02, gt=0, lt=0.3, description="Standard deviation of the diagonal elements of a strain, dimensionless."
    )
    min_distance_fraction: float = Field(
        0.65,
        gt=0,
        lt=1,
        description="Minimum pair distance in candidates, as a fraction of the sum of covalent radii.",
    )
    n_select: PositiveInt = Field(
        1,
        description="Number of structures labeled per halt, including the halted structure. Larger numbers rarely pay "
        "for their cost.",
    )
    n_probes: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Number of probes: structures of the run that are labeled although gamma is low, to measure the "
        "error of the potential, and then trained on. They are spread over the run, the last one near its end. None "
        "for two, or one per walker of up to ten; 0 for none, so that nothing measures whether the potential is good "
        "enough.",
    )
    uncertainty: str = Field(
        "force_error",
        description="Measure of uncertainty that halts the run besides gamma. 'force_error': the predicted error of "
        "the force of an atom, from the labels of a linear potential. 'mace': the disagreement of a committee of MACE "
        "models that is trained on the labels. 'module:factory' or './file.py:factory': that of your own committee, "
        "if it returns a list of ASE calculators, or one with forces_comm; the difference to the ACE, if it returns "
        "another ASE calculator. 'gamma': gamma alone.",
    )
    force_error_tolerance: PositiveFloat | None = Field(
        None,
        description="Uncertainty of the force of an atom above which the run halts although gamma is low: below 1, a "
        "fraction of the root mean square of the norm of the labels' forces; from 1 on, meV/Å. None for four times the "
        "target, target_force_error, or four times the error on the labels if that is larger. It is raised where "
        "labels do not lower the uncertainty that far.",
    )
    uncertainty_every: PositiveInt = Field(
        3, description="Number of checks of gamma from one evaluation of the measure of uncertainty to the next."
    )
    max_labels: PositiveInt | None = Field(
        None,
        description="Maximum number of labels of the campaign, including those of the first generation and those taken "
        "from a label store, but not first_labels; None for no limit.",
    )
    max_otf_iterations: PositiveInt = Field(100, description="Maximum number of halts that the campaign processes.")
    max_stalled_halts: int = Field(
        5,
        ge=2,
        description="Maximum number of consecutive halts without progress, i.e. halts that return to the same "
        "checkpoint and come at most smooth_steps checks later; four times as many as long as environments of an "
        "element do not span its functions. The campaign then ends with an error that names the probable cause.",
    )
    max_retries: NonNegativeInt = Field(
        2, description="Number of retries per structure after a failed label, and per halt after a rejected fit."
    )

    @field_validator("mode_calculator")
    @classmethod
    def _is_dotted_path(cls, value: str) -> str:
        if value and ":" not in value:
            raise ValueError("must be empty or a dotted path 'module:factory'")
        return value

    @field_validator("uncertainty")
    @classmethod
    def _is_measure(cls, value: str) -> str:
        module, colon, name = value.rpartition(":")
        if value not in (*MEASURES, "mace") and not (colon and module and name):
            names = ", ".join(map(repr, (*MEASURES, "mace")))
            raise ValueError(f"must be {names}, 'module:factory' or './file.py:factory', got {value!r}")
        return value

    @model_validator(mode="after")
    def _check_order(self) -> OTFConfig:
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
