"""A campaign: one on-the-fly run in one directory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acemaker.campaign.view import CampaignView
from acemaker.loop.progress_report import logger
from acemaker.loop.runner import CampaignRunner
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.widgets.cockpit import Cockpit, StaticCockpit


class Campaign(CampaignRunner, CampaignView):
    """One on-the-fly run, returned by `create` or `open`.

    Each state can be run by itself (`explore`, `diagnose`, ...), one after another (`step`), as a generator (`steps`)
    or to the end (`run`), all with the same code. The result of a state is in the journal before the next one begins,
    so that a campaign that was killed continues from there.

    Examples
    --------
    A campaign of two seconds, with an engine and an oracle that are made for tests:

    >>> from acemaker import Campaign
    >>> from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
    >>> campaign = Campaign.create("campaign", toy_config(), engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle())
    >>> campaign.prepare().generation.number
    1
    >>> print(campaign.explore().headline())
    Halt 1 at step 100: gamma ... (smooth tier)
    >>> campaign.run().state
    <State.DONE: 'DONE'>
    >>> campaign.close()
    """

    def _report_end(self) -> None:
        if self.state is State.DONE and logger.isEnabledFor(logging.WARNING):
            convergence = self.convergence()
            is_poor = convergence.is_accurate is False or not convergence.is_good_enough
            logger.log(logging.WARNING if is_poor else logging.INFO, convergence.headline())

    def cockpit(self) -> Cockpit | StaticCockpit:
        """Show buttons for step, run and stop, and the live state of the campaign.

        Returns
        -------
        Cockpit or StaticCockpit
            A widget in a notebook that is open in a browser; text and a picture elsewhere.
        """
        from acemaker.widgets.cockpit import cockpit

        return cockpit(self)
