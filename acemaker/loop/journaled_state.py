"""The journal together with the state that its events add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.config.recorded import RecordedConfig
from acemaker.errors import AcemakerError, CampaignError, ConfigError
from acemaker.loop.journal import Journal
from acemaker.loop.progress import Progress
from acemaker.utils.garbage_collection import collection_paused
from acemaker.utils.interrupt import interruptions


@contextmanager
def journal_errors() -> Iterator[None]:
    """Raise a `CampaignError` in place of the errors of events that are intact but invalid.

    Raises
    ------
    CampaignError
        If a field is missing or invalid, or the configuration is refused.
    """
    try:
        yield
    except ConfigError as error:
        raise CampaignError(
            f"the configuration in the journal is refused: {error}\nthe campaign can be read with "
            "acemaker.attach(directory), but not continued"
        ) from error
    except AcemakerError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CampaignError(
            f"the journal contains an event that acemaker does not write ({type(error).__name__}: {error}); restore "
            "journal.jsonl from a copy"
        ) from error


def config_of(events: Sequence[dict[str, Any]]) -> CampaignConfig:
    """Return the configuration in force, that of the last event that contains one."""
    with journal_errors():
        configs = [event["config"] for event in events if "config" in event]
        return CampaignConfig(**configs[-1])


def recorded_config(events: Sequence[Mapping[str, Any]]) -> CampaignConfig:
    """Return the configuration in force for reading, also if it would be refused for a campaign that runs.

    Parameters
    ----------
    events
        The events so far, at least the first one.

    Raises
    ------
    CampaignError
        If the journal contains no configuration.
    """
    with journal_errors():
        return RecordedConfig.read([event["config"] for event in events if "config" in event][-1])


class History:
    """State and configuration of a campaign after all events of its journal.

    Parameters
    ----------
    events
        The events so far, at least the first one.
    is_run
        Whether the campaign is about to run; otherwise it is only read, and values that are refused today are accepted.

    Attributes
    ----------
    progress : Progress
        The state of the campaign.
    config : CampaignConfig
        The configuration in force, that of the last event that contains one.
    """

    @collection_paused()
    def __init__(self, events: Sequence[dict[str, Any]], *, is_run: bool = False) -> None:
        with journal_errors():
            self.progress = Progress().apply_all(events)
        self.config = config_of(events) if is_run else recorded_config(events)

    def apply(self, event: dict[str, Any]) -> None:
        """Add the next event."""
        with journal_errors():
            self.progress = self.progress.apply(event)
        if "config" in event:
            self.config = recorded_config([event])


class JournaledState(History):
    """A history to which events are appended; the state of a campaign changes in no other way.

    Parameters
    ----------
    journal
        The open journal, with at least one event.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal.events, is_run=True)
        self._journal = journal

    def append(self, event: str, **data: Any) -> None:
        """Write an event and apply it; Ctrl-C is delayed, so that memory and journal always agree."""
        with interruptions() as pressed:
            self.apply(self._journal.append(event, **data))
        if pressed.is_set():
            raise KeyboardInterrupt

    def close(self) -> None:
        """Let other processes open the journal."""
        self._journal.close()
