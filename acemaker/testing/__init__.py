"""Toys that are real in shape and fast, and the contracts of whatever users bring."""

from acemaker.testing.contracts import EngineContract, OracleContract, StrategyContract
from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config
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
