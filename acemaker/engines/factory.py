"""Creates the engine that a configuration selects."""

from __future__ import annotations

from acemaker.config import EngineConfig
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Engine


def make_engine(config: EngineConfig, seed: int) -> Engine:
    """Create an engine.

    Parameters
    ----------
    config
        Settings of the engine, including its name.
    seed
        Seed of the campaign.

    Returns
    -------
    Engine
    """
    return InProcessEngine(config, seed) if config.engine == "inprocess" else IsolatedEngine(config, seed)
