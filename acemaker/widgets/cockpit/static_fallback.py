"""Static fallback of the cockpit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acemaker.formatting.html import figure
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


class StaticCockpit(Record):
    """State and timeline of a campaign as text and picture, without widgets.

    Parameters
    ----------
    campaign
        The campaign, as it is now.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        self._summary = campaign.summary()
        self._picture = campaign.figure()

    def summary(self) -> Summary:
        """Return the summary of the campaign."""
        return self._summary

    def _repr_html_(self) -> str:
        return super()._repr_html_() + figure(self._picture, "Gamma and observables at each check")
