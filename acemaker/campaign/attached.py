"""Looking on at a campaign that another process runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from acemaker.campaign.view import CampaignView
from acemaker.loop.attached import AttachedReader
from acemaker.loop.store import Store
from acemaker.states import State
from acemaker.widgets.live import live_view


class AttachedCampaign(AttachedReader, CampaignView):
    """A campaign that is only looked at: nothing is locked, and nothing is written.

    What it shows is as new as the last `refresh`, the checks of the running segment included.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory holds links.
    """

    def follow(self, every: float = 1.0, *, show: Callable[[AttachedCampaign], None] | None = None) -> Self:
        """Show the campaign anew whenever something has happened, until it has ended or nobody runs it any more.

        Ctrl-C, or the notebook's stop button, ends the looking on, not the campaign.

        Parameters
        ----------
        every
            Seconds between two looks.
        show
            Called with this campaign after each change; by default the picture and the state are kept up to date in
            a notebook, and a line is printed elsewhere.

        Returns
        -------
        AttachedCampaign
            This one.
        """
        shown = live_view() if show is None else show
        seen = None
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                now = (self._end, self.step, self.driven)
                if now != seen:
                    shown(self)
                    seen = now
                if self.state in (State.DONE, State.FAILED) or not self.driven:
                    break
                time.sleep(every)
                self.refresh()
        return self


def attach(directory: str | Path) -> AttachedCampaign:
    """Look on at a campaign, whether another process runs it, it has ended, or it was broken off.

    Parameters
    ----------
    directory
        Where it lives.

    Returns
    -------
    AttachedCampaign
        Show it, draw it with ``figure()``, ``refresh()`` it, or `follow` it to its end.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory holds links.
    """
    return AttachedCampaign(Store(Path(directory).resolve()))
