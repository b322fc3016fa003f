"""Toys that are real in shape and fast, and the contracts that engines and oracles must fulfil."""

from acemaker.testing.contracts import EngineContract, OracleContract
from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config

__all__ = ["EngineContract", "OracleContract", "ToyEngine", "ToyOracle", "halting_at", "toy_config"]
