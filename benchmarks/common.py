"""What the benchmarks share: the main job's configuration."""

from __future__ import annotations

from typing import Any

from acemaker import CampaignConfig

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
