"""A finished campaign with toy engine and oracle, for examples and first tries."""

from __future__ import annotations

from pathlib import Path

from acemaker.campaign import Campaign
from acemaker.testing.toy_engine import ToyEngine, halting_at
from acemaker.testing.toy_oracle import ToyOracle, toy_config


def toy_campaign(directory: str | Path = "toy_campaign") -> Campaign:
    """Run a campaign of two seconds to its end: 200 steps, one halt, the toy engine and the toy oracle.

    Parameters
    ----------
    directory
        Where its files are written; a campaign that is there already is opened.

    Returns
    -------
    Campaign

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> campaign.state
    <State.DONE: 'DONE'>
    >>> campaign.generation.name
    'potential_v2'
    """
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(directory, toy_config(), exist_ok=True, engine=engine, oracle=ToyOracle()).run()
