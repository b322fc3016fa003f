"""The cockpit: widgets that step, run and stop a campaign, show its progress, and select candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acemaker.formatting.interactive import is_interactive
from acemaker.widgets.cockpit.cockpit import Cockpit
from acemaker.widgets.cockpit.static_fallback import StaticCockpit

if TYPE_CHECKING:
    from acemaker.loop.runner import CampaignRunner

__all__ = ["Cockpit", "StaticCockpit", "cockpit"]


def cockpit(campaign: CampaignRunner) -> Cockpit | StaticCockpit:
    """Create the cockpit, or its static fallback if the notebook is not interactive.

    Parameters
    ----------
    campaign
        An open campaign.

    Returns
    -------
    Cockpit or StaticCockpit

    Raises
    ------
    MissingLibraryError
        If the notebook is interactive and ipywidgets is not installed.
    """
    return Cockpit(campaign) if is_interactive() else StaticCockpit(campaign)
