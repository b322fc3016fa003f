"""The journal and what it adds up to, always in step with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, CampaignError, ConfigError
from acemaker.loop.journal import Journal
from acemaker.loop.progress import Progress
from acemaker.utils.garbage_collection import uncollected
from acemaker.utils.interrupt import interruptions


@contextmanager
def understood() -> Iterator[None]:
    """Say what is wrong with events that are whole, but not what a campaign writes.

    Raises
    ------
    CampaignError
        If a field is missing or holds something else than it should, or the configuration is refused.
    """
    try:
        yield
    except ConfigError as error:
        raise CampaignError(f"the configuration in the journal is refused: {error}") from error
    except AcemakerError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CampaignError(
            f"the journal holds an event that no campaign writes ({type(error).__name__}: {error}); restore "
            "journal.jsonl from a copy"
        ) from error


def config_of(events: Sequence[dict[str, Any]]) -> CampaignConfig:
    """Return the configuration in force: that of the last event that holds one."""
    with understood():
        configs = [event["config"] for event in events if "config" in event]
        return CampaignConfig(**configs[-1])


class History:
    """What events add up to.

    Parameters
    ----------
    events
        Of a journal, the first of them at least.

    Attributes
    ----------
    progress : Progress
        Where the campaign stands.
    config : CampaignConfig
        The configuration in force: that of the last event that holds one.
    """

    @uncollected()
    def __init__(self, events: Sequence[dict[str, Any]]) -> None:
        with understood():
            self.progress = Progress().apply_all(events)
        self.config = config_of(events)

    def take(self, event: dict[str, Any]) -> None:
        """Add the next event."""
        with understood():
            self.progress = self.progress.apply(event)
        if "config" in event:
            self.config = CampaignConfig(**event["config"])


class Chronicle(History):
    """A history that is being written; nothing else moves a campaign.

    Parameters
    ----------
    journal
        Open, with at least its first event.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal.events)
        self._journal = journal

    def append(self, event: str, **data: Any) -> None:
        """Write an event and act on it; Ctrl-C has to wait, or memory and journal would part."""
        with interruptions() as pressed:
            self.take(self._journal.append(event, **data))
        if pressed.is_set():
            raise KeyboardInterrupt

    def close(self) -> None:
        """Let other processes open the journal."""
        self._journal.close()
