"""Creation of the folder in which a child process works, without files or processes of earlier runs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from acemaker.errors import EngineError
from acemaker.process.child import kill_leftovers


def create_empty_folder(directory: Path) -> Path:
    """Create an empty folder; files and processes that an earlier run has left there are deleted and killed.

    Raises
    ------
    EngineError
        If the path contains a symbolic link, since its target may belong to something else.
    """
    _check_no_link(directory)
    if directory.exists():
        kill_leftovers(directory)
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory


def create_unique_folder(directory: Path) -> Path:
    """Create a folder with a unique name in `directory`, whose earlier content is deleted as far as possible.

    An earlier run on a machine that cannot be reached may still write files, which must not mix with those of this run.

    Raises
    ------
    EngineError
        If the path contains a symbolic link.
    """
    _check_no_link(directory)
    kill_leftovers(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=directory))


def _check_no_link(directory: Path) -> None:
    """Raise an error if the path contains a link, since the content of its target would be deleted."""
    if directory.resolve() != directory.absolute():
        raise EngineError(
            f"{directory} is reached through a link, to {directory.resolve()}; nothing was deleted there; "
            "replace the link with a directory"
        )
