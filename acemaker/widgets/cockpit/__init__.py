"""The cockpit: a campaign stepped, run, stopped and decided on from a notebook, while one sees what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acemaker.formatting.interactive import live
from acemaker.widgets.cockpit.cockpit import Cockpit
from acemaker.widgets.cockpit.static_fallback import CockpitTwin

if TYPE_CHECKING:
    from acemaker.loop.runner import CampaignRunner

__all__ = ["Cockpit", "CockpitTwin", "cockpit"]


def cockpit(campaign: CampaignRunner) -> Cockpit | CockpitTwin:
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
