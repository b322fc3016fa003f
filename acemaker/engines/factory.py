"""The engine that a configuration asks for."""

from __future__ import annotations

from acemaker.config import EngineConfig
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Engine


def make_engine(config: EngineConfig, seed: int) -> Engine:
    """Make an engine.

    Parameters
    ----------
    config
        Its name and how it runs.
    seed
        The campaign's.

    Returns
    -------
    Engine
    """
    return InProcessEngine(config, seed) if config.engine == "inprocess" else IsolatedEngine(config, seed)
