"""Strategies, which generate candidates around a halted structure."""

from acemaker.structures.strategies.registry import STRATEGIES, strategy_of
from acemaker.structures.strategies.site import Site, Strategy

__all__ = ["STRATEGIES", "Site", "Strategy", "strategy_of"]
