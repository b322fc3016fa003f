"""Directories that cannot be written: what is wrong, and what to do, instead of a number of the system's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acemaker.errors import AcemakerError, CampaignError

REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room, or allow larger files",
    errno.EROFS: "make it writable; to look at the campaign only: acemaker.attach(directory)",
    errno.EACCES: "make it writable; to look at the campaign only: acemaker.attach(directory)",
    errno.EPERM: "make it writable; to look at the campaign only: acemaker.attach(directory)",
    errno.ENOENT: "restore what is missing from a copy",
}


@contextmanager
def writable(directory: Path) -> Iterator[None]:
    """Say of an error of the file system what it means for a campaign.

    Parameters
    ----------
    directory
        The campaign's.

    Raises
    ------
    CampaignError
        In place of an `OSError` within the block.
    """
    try:
        yield
    except AcemakerError:
        raise
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "mend that")
        raise CampaignError(
            f"the campaign in {directory} cannot go on ({error}); {remedy} and open it again: what it has done is kept"
        ) from error
