"""The journal and what it adds up to, always in step with each other."""

from __future__ import annotations

from typing import Any

from acemaker.campaign.journal import Journal
from acemaker.campaign.progress import Progress
from acemaker.config import CampaignConfig
from acemaker.interrupt import interruptions


class Chronicle:
    """Folds the journal's events into progress; nothing else moves a campaign.

    Parameters
    ----------
    journal
        Open, with at least its first event.

    Attributes
    ----------
    progress : Progress
        Where the campaign stands.
    config : CampaignConfig
        The configuration in force: that of the last event that holds one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.progress = Progress()
        self.config = CampaignConfig(**journal.events[0]["config"])
        for event in journal.events:
            self._take(event)

    def append(self, event: str, **data: Any) -> None:
        """Write an event and act on it; Ctrl-C has to wait, or memory and journal would part."""
        with interruptions() as pressed:
            self._take(self._journal.append(event, **data))
        if pressed.is_set():
            raise KeyboardInterrupt

    def close(self) -> None:
        """Let other processes open the journal."""
        self._journal.close()

    def _take(self, event: dict[str, Any]) -> None:
        self.progress = self.progress.apply(event)
        if "config" in event:
            self.config = CampaignConfig(**event["config"])
