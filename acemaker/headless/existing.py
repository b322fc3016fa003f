"""The campaign that may lie in a directory already, looked at without opening it."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

from acemaker.campaign.creation import refuse_another
from acemaker.campaign.store import Store
from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, CampaignLockedError


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
        with Store(directory).journal.open() as stream:
            return CampaignConfig(**json.loads(stream.readline())["config"])
    except (OSError, ValueError, KeyError, TypeError, AcemakerError):
        return None


def check_existing(directory: Path, config: CampaignConfig) -> None:
    """Make sure that a configuration can go on with the campaign in a directory, if there is one.

    Parameters
    ----------
    directory
        Where it may live.
    config
        What the notebook will ask for.

    Raises
    ------
    CampaignExistsError
        If it is another one; names the differences.
    """
    recorded = recorded_config(directory)
    if recorded is not None:
        refuse_another(directory, recorded.differences(config))


def check_free(directory: Path) -> None:
    """Make sure that no other process runs the campaign: its executed notebook must not be overwritten.

    Raises
    ------
    CampaignLockedError
        If one does.
    """
    try:
        with (directory / "lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CampaignLockedError(
            f"another process has the campaign in {directory} open; wait for it or stop it, or choose another directory"
        ) from error
    except OSError:
        return
