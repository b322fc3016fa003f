"""Strategies by name."""

from __future__ import annotations

from acemaker.errors import ConfigError
from acemaker.structures.strategies.md_burst import md_burst
from acemaker.structures.strategies.normal_modes import normal_modes
from acemaker.structures.strategies.random_displacement import random_displacement
from acemaker.structures.strategies.site import Strategy
from acemaker.structures.strategies.strain import strain
from acemaker.utils.dotted_path import import_callable

STRATEGIES: dict[str, Strategy] = {
    "random_displacement": random_displacement,
    "normal_modes": normal_modes,
    "md_burst": md_burst,
    "strain": strain,
}


def strategy_of(name: str) -> Strategy:
    """Return a strategy.

    Parameters
    ----------
    name
        Key of `STRATEGIES`, or ``module:function`` for a custom strategy.

    Returns
    -------
    Strategy

    Raises
    ------
    ConfigError
        If there is no strategy with this name; the message lists the names.
    """
    if ":" in name:
        return import_callable(name, "OTFConfig.strategies", "yields structures")
    if name not in STRATEGIES:
        raise ConfigError(
            f"OTFConfig.strategies: expected {', '.join(STRATEGIES)}, or 'module:function' for a custom strategy, "
            f"got {name!r}"
        )
    return STRATEGIES[name]
