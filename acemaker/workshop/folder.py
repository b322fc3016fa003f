"""A folder of its own for each run of a notebook."""

from __future__ import annotations

from pathlib import Path

from acemaker.errors import CampaignExistsError

MOST = 10_000


def new_folder(directory: str | Path) -> Path:
    """Make the next numbered folder, so that a notebook can be run again from its top and nothing is overwritten.

    Parameters
    ----------
    directory
        Where the folders are.

    Returns
    -------
    Path
        ``run_1``, or the first number that is free.

    Raises
    ------
    CampaignExistsError
        If ten thousand are there.
    """
    for number in range(1, MOST):
        folder = Path(directory) / f"run_{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise CampaignExistsError(f"{directory} holds {MOST - 1} runs; delete some, or choose another directory")
