"""The folder in which a child process works: made empty, whatever an earlier run has left there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from acemaker.errors import EngineError
from acemaker.process.child import kill_leftovers


def clean(directory: Path) -> Path:
    """Make an empty folder, and end what an earlier run has left in it.

    Raises
    ------
    EngineError
        If a link leads there: what lies behind it is not this run's.
    """
    _check_place(directory)
    if directory.exists():
        kill_leftovers(directory)
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory


def unshared(directory: Path) -> Path:
    """Make a folder that no earlier run knows of, within one whose earlier content goes as far as it can be deleted.

    A run on a machine that was lost may still write, and what it writes must not come among what is written now.

    Raises
    ------
    EngineError
        If a link leads there.
    """
    _check_place(directory)
    kill_leftovers(directory)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=directory))


def _check_place(directory: Path) -> None:
    """Refuse a folder behind a link: its content would be deleted, and processes that run in it ended."""
    if directory.resolve() != directory.absolute():
        raise EngineError(f"{directory} is reached through a link, to {directory.resolve()}; nothing was deleted there")
