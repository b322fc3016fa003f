"""A new folder for each run of a notebook."""

from __future__ import annotations

from pathlib import Path

from acemaker.errors import CampaignExistsError

MOST = 10_000


def new_folder(directory: str | Path) -> Path:
    """Create the next numbered folder, so that a notebook can be run again without overwriting files.

    Parameters
    ----------
    directory
        Folder that contains the numbered folders.

    Returns
    -------
    Path
        ``run_1``, or the first free number.

    Raises
    ------
    CampaignExistsError
        If all numbers up to ten thousand are taken.
    """
    for number in range(1, MOST):
        folder = Path(directory) / f"run_{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise CampaignExistsError(f"{directory} contains {MOST - 1} runs; delete some, or choose another directory")
