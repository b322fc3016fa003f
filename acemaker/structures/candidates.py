"""Strategies that make candidates around a halted structure, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.errors import ConfigError
from acemaker.structures.geometry import closeness

Strategy = Callable[[Atoms, OTFConfig, np.random.Generator], Atoms]

TRIES = 20
"""How often a strategy is asked anew for one candidate before the set stays one short."""


def random_displacement(anchor: Atoms, config: OTFConfig, rng: np.random.Generator) -> Atoms:
    """Displace every atom by a Gaussian of ``perturbation_scale``.

    Parameters
    ----------
    anchor
        The halted structure.
    config
        The displacement's standard deviation, Å.
    rng
        Random numbers.

    Returns
    -------
    Atoms
    """
    copy = Atoms(anchor.symbols, anchor.positions, cell=anchor.cell, pbc=anchor.pbc)
    copy.positions += rng.normal(scale=config.perturbation_scale, size=copy.positions.shape)
    return copy


STRATEGIES: dict[str, Strategy] = {"random_displacement": random_displacement}


def make_candidates(anchor: Atoms, config: OTFConfig, rng: np.random.Generator) -> list[Atoms]:
    """Make the candidates of a halt.

    Parameters
    ----------
    anchor
        The halted structure; it is candidate 0 and never filtered out.
    config
        Number, strategies with their shares, and the smallest pair distance allowed.
    rng
        Random numbers.

    Returns
    -------
    list of Atoms
        At most ``n_candidates``, distinct, no pair too close; fewer where a strategy gave nothing
        physical in `TRIES` tries. ``info`` has the ``origin`` and the smallest pair ``distance_A``.

    Raises
    ------
    ConfigError
        For an unknown strategy.
    """
    check_strategies(config)
    structures = [Atoms(anchor.symbols, anchor.positions, cell=anchor.cell, pbc=anchor.pbc)]
    structures[0].info |= {"origin": "anchor", "distance_A": closeness(anchor).distance}
    for name in _shares(config):
        for _ in range(TRIES):
            made = STRATEGIES[name](anchor, config, rng)
            distinct = all(np.abs(made.positions - other.positions).max() > 1e-6 for other in structures)
            close = closeness(made)
            if distinct and close.share >= config.min_distance_fraction:
                made.info |= {"origin": name, "distance_A": close.distance}
                structures.append(made)
                break
    return structures


def check_strategies(config: OTFConfig) -> None:
    """Refuse names that no strategy has.

    Raises
    ------
    ConfigError
        Names those that there are.
    """
    unknown = sorted(set(config.strategies) - set(STRATEGIES))
    if unknown:
        raise ConfigError(
            f"OTFConfig.strategies: no strategy is named {', '.join(unknown)}; there is {', '.join(STRATEGIES)}"
        )


def _shares(config: OTFConfig) -> list[str]:
    """Divide the candidates among the strategies by their shares, largest remainder first."""
    n = config.n_candidates - 1
    total = sum(config.strategies.values())
    exact = {name: n * share / total for name, share in config.strategies.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    return [name for name, count in counts.items() for _ in range(count)]
