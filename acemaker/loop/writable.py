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
def writable(directory: Path, *, begun: bool = True) -> Iterator[None]:
    """Say of an error of the file system what it means for a campaign.

    Parameters
    ----------
    directory
        The campaign's.
    begun
        Whether there is a campaign already, or its files are about to be written.

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
        if not begun:
            raise CampaignError(
                f"no campaign can be made in {directory} ({error}); mend that and make it again: nothing has been "
                "written there"
            ) from error
        remedy = REMEDIES.get(error.errno or 0, "mend that")
        raise CampaignError(
            f"the campaign in {directory} cannot go on ({error}); {remedy} and open it again: what it has done is kept"
        ) from error
