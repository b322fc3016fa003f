"""A campaign: one on-the-fly run, living in one directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from acemaker.campaign.view import CampaignView
from acemaker.loop.progress_lines import Reporter
from acemaker.loop.runner import CampaignRunner
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.widgets.cockpit import Cockpit, CockpitTwin


class Campaign(CampaignRunner, CampaignView):
    """One on-the-fly run; made by `create` or `open`.

    Every step can be called by itself (`explore`, `diagnose`, ...), one after another (`step`), as a
    generator (`steps`) or to the end (`run`): it is the same code. What a step returns is in the journal
    before the next begins, so that a campaign that was killed goes on where it was.
    """

    def run(self, max_steps: int | None = None, *, progress: bool = False) -> Self:
        """Go on until the campaign is done; see `CampaignRunner.run`."""
        super().run(max_steps, progress=progress)
        if progress and self.state is State.DONE:
            Reporter(self.config.engine.steps).result(self.convergence())
        return self

    def cockpit(self) -> Cockpit | CockpitTwin:
        """Show buttons for step, run and stop, and what the campaign does meanwhile.

        Returns
        -------
        Cockpit or CockpitTwin
            A widget in a notebook that somebody watches; text and a picture elsewhere.
        """
        from acemaker.widgets.cockpit import cockpit

        return cockpit(self)
