"""What takes the cockpit's place where nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acemaker.analysis.report_page import figure
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


class CockpitTwin(Record):
    """State and timeline of a campaign as text and picture; no widget is made.

    Parameters
    ----------
    campaign
        The campaign, as it is now.
    """

    def __init__(self, campaign: CampaignReader) -> None:
        self._summary = campaign.summary()
        self._picture = campaign.figure()

    def summary(self) -> Summary:
        """Return what the campaign said of itself."""
        return self._summary

    def _repr_html_(self) -> str:
        return super()._repr_html_() + figure(self._picture, "Gamma and observables at each check")
