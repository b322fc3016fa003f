"""What the benchmarks share: the main job's configuration, and that of small cells."""

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

SMALL: dict[str, Any] = {"core_margin": 0.0, "embed_force_error": 2000.0, "embed_least": 0.9}
"""For cells so small that the audit refuses most of them: their labels are what the oracle says of them, though not
what the parent's atoms feel."""


def copper(**changes: Any) -> CampaignConfig:
    """Return the main job's configuration with changes."""
    return CampaignConfig.from_parameters({**COPPER, **changes})
