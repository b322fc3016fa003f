"""Toys that are real in shape and fast, and the contracts that engines, oracles and strategies must fulfil."""

from acemaker.testing.contracts import EngineContract, OracleContract, StrategyContract
from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config

__all__ = ["EngineContract", "OracleContract", "StrategyContract", "ToyEngine", "ToyOracle", "halting_at", "toy_config"]
