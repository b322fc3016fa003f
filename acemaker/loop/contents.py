"""What may lie in a campaign's directory: files and folders, nothing that leads elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from acemaker.errors import CampaignError


def check_contents(directory: Path) -> None:
    """Refuse a directory with links or special files in it, before any of its files is opened.

    Hidden entries, an environment beside the campaign's files say, are left alone: no file of a campaign is hidden.

    A link would have files outside of the directory read, written or deleted as if they were the campaign's; a pipe
    would be waited for without end.

    Parameters
    ----------
    directory
        The campaign's, or where one is about to be made. It may be reached through a link itself, and need not exist.

    Raises
    ------
    CampaignError
        It names the first such entry, and where a link leads; or a folder that cannot be looked through.
    """
    top = os.fspath(directory)
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if folder == top and (entry.name.startswith(".") or entry.name == "lost+found"):
                        continue  # what acemaker never opens: an environment, a notebook's checkpoints
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        _refuse(Path(entry.path), directory)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted meanwhile, or no campaign
        except OSError as error:  # its files could be opened all the same, by their names
            where = os.path.relpath(folder, directory)
            raise CampaignError(
                f"the folder {where[:200]} in {directory} cannot be looked through ({error.strerror}); make it "
                "readable, or remove it"
            ) from error


def _refuse(path: Path, directory: Path) -> None:
    try:
        kind = f"a link to {path.readlink()}"
    except OSError:  # no link, or one that has been deleted
        if not path.exists():
            return
        kind = "a pipe, socket or device"
    raise CampaignError(
        f"{path.relative_to(directory)} in {directory} is {kind}; a campaign's directory holds files and folders only: "
        "put the file or folder itself there, or remove it"
    )


def contained(directory: Path, name: str) -> Path:
    """Return the path of a file that the journal names.

    Raises
    ------
    CampaignError
        If the name leads out of the directory.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise CampaignError(
            f"the journal in {directory} names the file {name!r}, which lies outside of the campaign's directory: no "
            "campaign writes that; restore journal.jsonl from a copy"
        )
    return directory / name
