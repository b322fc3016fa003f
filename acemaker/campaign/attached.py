"""Observing a campaign that another process runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Self

from acemaker.campaign.view import CampaignView
from acemaker.errors import StateError
from acemaker.loop.attached import AttachedReader
from acemaker.loop.store import Store
from acemaker.states import State
from acemaker.widgets.live import live_view


class AttachedCampaign(AttachedReader, CampaignView):
    """A campaign that is observed without locking or writing anything.

    It contains everything up to the last `refresh`, including the checks of the running segment.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory contains links.

    Examples
    --------
    >>> import acemaker
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> attached = acemaker.attach("toy_campaign")
    >>> attached.md_step
    200
    """

    def add(self, *_: object, **__: object) -> NoReturn:
        """Refuse, since an attached campaign is only read; see `acemaker.Campaign.add`."""
        self._refuse("add")

    def remove(self, *_: object, **__: object) -> NoReturn:
        """Refuse, since an attached campaign is only read; see `acemaker.Campaign.remove`."""
        self._refuse("remove")

    def restore(self, *_: object, **__: object) -> NoReturn:
        """Refuse, since an attached campaign is only read; see `acemaker.Campaign.restore`."""
        self._refuse("restore")

    def relabel(self, *_: object, **__: object) -> NoReturn:
        """Refuse, since an attached campaign is only read; see `acemaker.Campaign.relabel`."""
        self._refuse("relabel")

    def _refuse(self, method: str) -> NoReturn:
        running = "; the process that runs it can, or stop that process first" if self.is_running else ""
        raise StateError(
            f"an attached campaign is only read, so that {method} cannot change its labels{running}: "
            f"Campaign.open({str(self.directory)!r}).{method}(...)"
        )

    def follow(self, every: float = 1.0, *, show: Callable[[AttachedCampaign], None] | None = None) -> Self:
        """Show the campaign after each change, until it has ended or no process runs it any more.

        Ctrl-C, or the stop button of a notebook, ends this function, not the campaign.

        Parameters
        ----------
        every
            Seconds between two calls of `refresh`.
        show
            Called with this campaign after each change. By default, picture and state are updated in a notebook, and
            a line is printed elsewhere.

        Returns
        -------
        AttachedCampaign
            This campaign.
        """
        show_change = live_view() if show is None else show
        last = None
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                current = (self._end, self.md_step, self.is_running)
                if current != last:
                    show_change(self)
                    last = current
                if self.state in (State.DONE, State.FAILED) or not self.is_running:
                    break
                time.sleep(every)
                self.refresh()
        return self


def attach(directory: str | Path) -> AttachedCampaign:
    """Observe a campaign that another process runs, that has ended, or that was interrupted.

    Parameters
    ----------
    directory
        The campaign's directory.

    Returns
    -------
    AttachedCampaign
        Show it, draw it with ``figure()``, update it with ``refresh()``, or `follow` it to its end.

    Raises
    ------
    CampaignError
        If there is no campaign, its journal cannot be read, or its directory contains links.

    Examples
    --------
    >>> import acemaker
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> acemaker.attach("toy_campaign").state
    <State.DONE: 'DONE'>
    """
    return AttachedCampaign(Store(Path(directory).resolve()))
