"""acemaker: molecular dynamics that trains its own ACE potential on the fly.

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acemaker import analysis, errors
    from acemaker.analysis.oracle_check import check_oracle
    from acemaker.campaign import AttachedCampaign, Campaign, attach
    from acemaker.config import (
        CampaignConfig,
        CommitteeConfig,
        ConvergenceConfig,
        EmbeddingConfig,
        EngineConfig,
        LabelingConfig,
        OracleConfig,
        OTFConfig,
        PacemakerConfig,
        PotentialConfig,
        SystemConfig,
        WalkerConfig,
    )
    from acemaker.errors import AcemakerError
    from acemaker.health import doctor
    from acemaker.loop.callbacks import Callback
    from acemaker.states import State
    from acemaker.widgets.form import form

    __version__: str

__all__ = [
    "AcemakerError",
    "AttachedCampaign",
    "Callback",
    "Campaign",
    "CampaignConfig",
    "CommitteeConfig",
    "ConvergenceConfig",
    "EmbeddingConfig",
    "EngineConfig",
    "LabelingConfig",
    "OTFConfig",
    "OracleConfig",
    "PacemakerConfig",
    "PotentialConfig",
    "State",
    "SystemConfig",
    "WalkerConfig",
    "__version__",
    "analysis",
    "attach",
    "check_oracle",
    "doctor",
    "errors",
    "form",
]

_HOMES = {
    "AcemakerError": "errors",
    "AttachedCampaign": "campaign",
    "Callback": "loop.callbacks",
    "Campaign": "campaign",
    "State": "states",
    "attach": "campaign",
    "check_oracle": "analysis.oracle_check",
    "doctor": "health",
    "form": "widgets.form",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'acemaker' has no attribute '{name}'")
    if name == "__version__":
        return import_module("importlib.metadata").version("acemaker")
    if name in ("analysis", "errors"):
        return import_module(f"acemaker.{name}")
    return getattr(import_module(f"acemaker.{_HOMES.get(name, 'config')}"), name)


def __dir__() -> list[str]:
    return __all__
