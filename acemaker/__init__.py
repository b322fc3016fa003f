"""acemaker: molecular dynamics that trains its own ACE potential on the fly.

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker.analysis import Verdict, judge, truth_trajectory, write_summary
    from acemaker.campaign import Campaign, attach
    from acemaker.config import (
        CampaignConfig,
        ConvergenceConfig,
        EmbeddingConfig,
        EngineConfig,
        LabellingConfig,
        OracleConfig,
        OTFConfig,
        PotentialConfig,
        SystemConfig,
    )
    from acemaker.errors import AcemakerError
    from acemaker.health import doctor
    from acemaker.states import State
    from acemaker.widgets.form import form

__all__ = [
    "AcemakerError",
    "Campaign",
    "CampaignConfig",
    "ConvergenceConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "LabellingConfig",
    "OTFConfig",
    "OracleConfig",
    "PotentialConfig",
    "State",
    "SystemConfig",
    "Verdict",
    "attach",
    "doctor",
    "form",
    "judge",
    "truth_trajectory",
    "write_summary",
]

_HOMES = {
    "AcemakerError": "errors",
    "Campaign": "campaign",
    "attach": "campaign",
    "State": "states",
    "Verdict": "analysis",
    "doctor": "health",
    "form": "widgets.form",
    "judge": "analysis",
    "truth_trajectory": "analysis",
    "write_summary": "analysis",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'acemaker' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.{_HOMES.get(name, 'config')}"), name)


def __dir__() -> list[str]:
    return __all__
