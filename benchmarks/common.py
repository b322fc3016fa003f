"""What the benchmarks share: the main job's configuration, and what machine this is."""

from __future__ import annotations

import os
import platform
from typing import Any

from acemaker import CampaignConfig
from acemaker.campaign.creation import installed_versions

COPPER: dict[str, Any] = {
    "lattice_constant": 3.615,
    "pair_style": "eam/alloy",
    "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"],
    "steps": 4000,
    "temperature": (300.0, 3000.0),
    "n_candidates": 10,
    "n_select": 1,
}
"""The parameters of notebooks/otf_campaign.ipynb that are not defaults."""


def copper(**changes: Any) -> CampaignConfig:
    """Return the main job's configuration with changes."""
    return CampaignConfig.from_parameters({**COPPER, **changes})


def print_machine() -> None:
    """Say on what the figures were measured."""
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
