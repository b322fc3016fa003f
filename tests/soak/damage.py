"""Faults of files while no process has them open."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.soak.changes import DAMAGES


def damage(directory: Path, change: str, rng: random.Random) -> str:
    """Damage one file of a campaign.

    Parameters
    ----------
    directory
        Directory of the campaign.
    change
        One of `DAMAGES`, or ``deleted``.
    rng
        Draws the kind of file, the file, and the position in it.

    Returns
    -------
    str
        The file.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
    folders = sorted({path.relative_to(directory).parts[0] for path in files})
    folder = rng.choice(folders)
    path = rng.choice([path for path in files if path.relative_to(directory).parts[0] == folder])
    if change == "deleted":
        path.unlink()
    else:
        content = DAMAGES[change](path.read_bytes(), rng)
        if path.stat().st_nlink > 1:  # two names of one file: a fault of the disk is in both, one of a program not
            path.unlink()
        path.write_bytes(content)
    return path.relative_to(directory).as_posix()


def shift_times(directory: Path, rng: random.Random) -> None:
    """Set the times of the files wrong by years, as if the clock had been wrong when they were written."""
    for path in directory.rglob("*"):
        when = path.stat().st_mtime + rng.uniform(-3e8, 3e8)
        os.utime(path, (when, when))
