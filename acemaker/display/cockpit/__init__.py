"""The cockpit: a campaign stepped, run, stopped and decided on from a notebook, while one sees what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acemaker.display.cockpit.cockpit import Cockpit
from acemaker.display.cockpit.twin import CockpitTwin
from acemaker.display.viewer.watched import live

if TYPE_CHECKING:
    from acemaker.campaign import Campaign

__all__ = ["Cockpit", "CockpitTwin", "cockpit"]


def cockpit(campaign: Campaign) -> Cockpit | CockpitTwin:
    """Make the cockpit, or its static twin where nobody watches.

    Parameters
    ----------
    campaign
        Open.

    Returns
    -------
    Cockpit or CockpitTwin

    Raises
    ------
    MissingLibraryError
        If somebody watches, and ipywidgets is not installed.
    """
    return Cockpit(campaign) if live() else CockpitTwin(campaign)
