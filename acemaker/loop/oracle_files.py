"""Files of an oracle whose contents must not change during a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from acemaker.config import OracleConfig
from acemaker.errors import AcemakerError, CampaignError
from acemaker.oracles.fingerprint import file_digests


def recorded_files(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    """Return the digests of an oracle's files for the journal; empty if it has none, or they are elsewhere.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.
    """
    try:
        return file_digests(config, elements)
    except (AcemakerError, OSError):  # labels may be computed on another machine; a missing file is reported there
        return {}


def accepted_files(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    """Return the digests of an oracle's files as they are now, with which the campaign will label.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.

    Raises
    ------
    CampaignError
        If a file is missing or cannot be read: without its digest, no later change would be noticed.
    """
    try:
        return file_digests(config, elements)
    except (AcemakerError, OSError) as error:
        raise CampaignError(
            f"accept_oracle_files=True: expected all files of the oracle, but {error} (working directory: "
            f"{Path.cwd()}). Restore the file, or open the campaign in the folder where it was created"
        ) from error


def check_oracle_files(
    directory: Path, recorded: Mapping[str, str], config: OracleConfig, elements: tuple[str, ...]
) -> None:
    """Refuse to label with files other than those with which the campaign was created.

    A relative path is searched for in the working directory first, so that another file may be found when a campaign
    is opened from elsewhere.

    Parameters
    ----------
    directory
        The campaign's directory.
    recorded
        Digests by name, from `recorded_files`; empty for campaigns without them, which are not checked.
    config
        The oracle.
    elements
        Elements of the system.

    Raises
    ------
    CampaignError
        If the contents of a file have changed.
    """
    if not recorded or not (current := recorded_files(config, elements)):
        return
    changed = [name for name, digest in recorded.items() if current.get(name) != digest]
    if changed:
        raise CampaignError(
            f"the oracle's {', '.join(changed)} differs from the file with which the campaign in {directory} was "
            f"created; its labels would be those of another oracle (working directory: {Path.cwd()}). Restore it, or "
            "open the campaign in the folder where it was created; to label with the new contents in spite of this: "
            "Campaign.open(..., accept_oracle_files=True)"
        )
