"""Toys that are real in shape and fast, and the contracts of whatever users bring, which need pytest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config

if TYPE_CHECKING:
    from acemaker.testing.contracts import EngineContract, OracleContract, StrategyContract
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
    "toy_config",
]

_CONTRACTS = {
    "EngineContract": "contracts",
    "OracleContract": "contracts",
    "StrategyContract": "contracts",
    "TrainerContract": "trainer_contract",
    "ViewerContract": "viewer_contract",
}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module 'acemaker.testing' has no attribute '{name}'")
    return getattr(import_module(f"acemaker.testing.{_CONTRACTS[name]}"), name)
