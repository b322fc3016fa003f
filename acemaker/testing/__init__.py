"""Fast toy engine and oracle, and contract tests for users' own components, which need pytest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config

if TYPE_CHECKING:
    from acemaker.testing.contracts import EngineContract, OracleContract, StrategyContract
    from acemaker.testing.example import toy_campaign
    from acemaker.testing.trainer_contract import TrainerContract
    from acemaker.testing.viewer_contract import ViewerContract

__all__ = [
    "EngineContract",
    "OracleContract",
    "StrategyContract",
    "ToyEngine",
    "ToyOracle",
    "TrainerContract",
    "ViewerContract",
    "halting_at",
    "toy_campaign",
    "toy_config",
]

_LATER = {
    "EngineContract": "contracts",
    "OracleContract": "contracts",
    "StrategyContract": "contracts",
    "TrainerContract": "trainer_contract",
    "ViewerContract": "viewer_contract",
    "toy_campaign": "example",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'acemaker.testing' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.testing.{_LATER[name]}"), name)
