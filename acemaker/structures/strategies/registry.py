"""Strategies by name."""

from __future__ import annotations

from acemaker.errors import ConfigError
from acemaker.structures.strategies.md_burst import md_burst
from acemaker.structures.strategies.normal_modes import normal_modes
from acemaker.structures.strategies.random_displacement import random_displacement
from acemaker.structures.strategies.site import Strategy
from acemaker.structures.strategies.strain import strain
from acemaker.utils.dotted_path import imported

STRATEGIES: dict[str, Strategy] = {
    "random_displacement": random_displacement,
    "normal_modes": normal_modes,
    "md_burst": md_burst,
    "strain": strain,
}


def strategy_of(name: str) -> Strategy:
    """Find a strategy.

    Parameters
    ----------
    name
        One of `STRATEGIES`, or ``module:function`` for one of your own.

    Returns
    -------
    Strategy

    Raises
    ------
    ConfigError
        If there is none of this name; names those that there are.
    """
    if ":" in name:
        return imported(name, "OTFConfig.strategies", "yields structures")
    if name not in STRATEGIES:
        raise ConfigError(
            f"OTFConfig.strategies: no strategy is named {name}; there is {', '.join(STRATEGIES)}, and "
            "'module:function' for one of your own"
        )
    return STRATEGIES[name]
