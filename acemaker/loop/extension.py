"""More steps for a campaign that is there: its trajectories go on from their last restart files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acemaker.config import CampaignConfig, EngineConfig
from acemaker.errors import ConfigError
from acemaker.loop.journaled_state import config_of
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store


def reopening(store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig) -> dict[str, Any]:
    """Describe for the journal that a campaign is opened again.

    Parameters
    ----------
    store, events, config
        As for `gives_more_steps`, whose error it raises.

    Returns
    -------
    dict
    """
    more = {"more_steps": True} if gives_more_steps(store, events, config) else {}
    return {"config": config.model_dump(mode="json"), **more}


def gives_more_steps(store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig) -> bool:
    """Tell whether a configuration asks for more steps than a campaign has been given.

    Parameters
    ----------
    store
        The campaign's files.
    events
        Of its journal.
    config
        With which it is to go on.

    Returns
    -------
    bool
        False, too, if nothing has been explored yet: any number of steps may then be asked for.

    Raises
    ------
    ConfigError
        If it asks for fewer, or if the steps made so far would have been others with more of them: a ramp spans all.
    """
    given, wanted = config_of(events).engine.steps, config.engine.steps
    if wanted == given or Progress().apply_all(events).generation < 0:
        return False
    if wanted < given:
        raise ConfigError(
            f"EngineConfig.steps: the campaign in {store.directory} has been given {given} steps, got {wanted}; ask "
            "for as many or more, or choose another directory"
        )
    for number in range(1, config.n_walkers + 1):
        if ramp := _ramp(config.walker(number).engine):
            whose = f"that of walker {number}" if config.n_walkers > 1 else "it"
            raise ConfigError(
                f"EngineConfig.steps: the campaign in {store.directory} has a ramp {ramp} over its {given} steps, and "
                f"with {wanted} {whose} would have been slower from the start; more steps can be had where temperature "
                "and pressure stay: choose another directory, and start there from a frame of this one"
            )
    return True


def _ramp(engine: EngineConfig) -> str:
    """Describe what changes from the first step to the last; nothing if all stays."""
    (cold, hot), (low, high) = engine.temperature, engine.pressure
    if cold != hot:
        return f"from {cold:g} to {hot:g} K"
    return f"from {low:g} to {high:g} GPa" if engine.ensemble == "npt" and low != high else ""
