"""The campaign that may lie in a directory already, looked at without opening it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, CampaignLockedError
from acemaker.loop.contents import check_contents
from acemaker.loop.extension import gives_more_steps
from acemaker.loop.journal import is_driven, read_events
from acemaker.loop.replacing import may_be_replaced, refuse_another
from acemaker.loop.store import Store

INSTEAD = (
    "for a new one add -p directory=runs/NAME (OUT names only the executed notebook); to go on with the one that is "
    "there, leave out what differs"
)


def recorded_config(directory: Path) -> CampaignConfig | None:
    """Read with which configuration a campaign was created.

    Parameters
    ----------
    directory
        Where it may live.

    Returns
    -------
    CampaignConfig or None
        None where there is none, or none that can be read: the notebook will say more.
    """
    try:
        check_contents(directory)  # a pipe would be waited for
        with Store(directory).journal.open() as stream:
            return CampaignConfig(**json.loads(stream.readline())["config"])
    except (OSError, ValueError, KeyError, TypeError, AcemakerError):
        return None


def differences_from(directory: Path, config: CampaignConfig) -> list[str] | None:
    """List in what the campaign in a directory differs from a configuration.

    Parameters
    ----------
    directory
        Where it may live.
    config
        What the notebook will ask for.

    Returns
    -------
    list of str or None
        Empty if it is the same; None where there is none, or one whose place may be taken.

    Raises
    ------
    ConfigError
        If it is the same, but cannot be given that many steps.
    """
    recorded = recorded_config(directory)
    if recorded is None:
        return None
    differences = recorded.differences(config)
    if differences and may_be_replaced(Store(directory), _events(directory)):
        return None
    if not differences and (events := _events(directory)):
        gives_more_steps(Store(directory), events, config)
    return differences


def refuse_differences(directory: Path, differences: Sequence[str]) -> None:
    """Refuse to go on with another campaign, in the words of the command line.

    Raises
    ------
    CampaignExistsError
        Names the differences.
    """
    refuse_another(Store(directory), differences, INSTEAD)


def _events(directory: Path) -> list[dict[str, Any]]:
    try:
        return read_events(Store(directory).journal)[0]
    except (OSError, AcemakerError):
        return []


def check_free(directory: Path) -> None:
    """Make sure that no other process runs the campaign: its executed notebook must not be overwritten.

    Raises
    ------
    CampaignLockedError
        If one does.
    """
    if is_driven(Store(directory).journal):
        raise CampaignLockedError(
            f"another process has the campaign in {directory} open; wait for it or stop it, or choose another directory"
        )
