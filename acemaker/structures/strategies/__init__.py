"""Strategies: each makes candidates around a halted structure in its own way."""

from acemaker.structures.strategies.registry import STRATEGIES, strategy_of
from acemaker.structures.strategies.site import Site, Strategy

__all__ = ["STRATEGIES", "Site", "Strategy", "strategy_of"]
