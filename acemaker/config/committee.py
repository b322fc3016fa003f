"""Settings of committees and other calculators whose forces are compared."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, PositiveFloat, field_validator

from acemaker.config.base import Section

RESERVED = (
    "name",
    "seed",
    "train_file",
    "valid_file",
    "valid_fraction",
    "test_file",
    "test_dir",
    "work_dir",
    "log_dir",
    "model_dir",
    "checkpoints_dir",
    "results_dir",
    "downloads_dir",
    "energy_key",
    "forces_key",
    "stress_key",
    "restart_latest",
)
"""Options of mace_run_train that acemaker sets itself."""


class CommitteeConfig(Section):
    """Calculators of uncertainty, and how the models of a committee are trained on the labels.

    Examples
    --------
    >>> from acemaker import CampaignConfig
    >>> config = CampaignConfig.from_parameters({"oracle": "emt", "uncertainty": "mace", "committee_size": 4})
    >>> config.committee.committee_size
    4
    """

    uncertainty_arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the factory of uncertainty; for 'mace', of MACECalculator.",
    )
    committee_trainer: str = Field(
        "",
        description="Trainer of the committee for a factory of your own in uncertainty: 'module:function' or "
        "'./file.py:function', called with labels, model, seed and committee_options for each model; the factory "
        "receives their files as models. Empty if its calculators need no training. 'mace' has its own trainer.",
    )
    committee_size: int = Field(3, ge=2, le=20, description="Number of models that are trained.")
    committee_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the trainer; for 'mace', of mace_run_train, e.g. {'num_channels': 32}, with None for "
        "options without a value.",
    )
    committee_retrain: bool = Field(
        True,
        description="Whether a new committee is trained with each accepted generation. Otherwise one is trained with "
        "the first generation, and others by campaign.train_committee().",
    )
    committee_environment: str = Field(
        "",
        description="Folder of the Python environment, or its Python, in which the committee is trained and evaluated. "
        "If empty, that of acemaker; for 'mace', the one created by 'make mace': $ACEMAKER_MACE, .mace and "
        "~/.cache/acemaker/mace are searched.",
    )
    committee_timeout: PositiveFloat = Field(
        3600.0, description="Time limit in seconds of training one model, and of one evaluation."
    )

    @field_validator("committee_trainer")
    @classmethod
    def _is_path(cls, value: str) -> str:
        module, colon, name = value.rpartition(":")
        if value and not (colon and module and name):
            raise ValueError("must be empty, 'module:function' or './file.py:function'")
        return value

    @field_validator("committee_options", "uncertainty_arguments")
    @classmethod
    def _are_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                raise ValueError(f"must have names of arguments as keys, without dashes, got {name!r}")
        return value
