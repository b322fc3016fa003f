"""Restart files: their names, and the list that tells whether each is as it was written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from acemaker.errors import EngineError
from acemaker.utils.checksum import checksum

CHECKPOINT, HALT = "checkpoint.", "halt."


@dataclass(frozen=True)
class Checkpoint:
    """A restart file and its step."""

    step: int
    path: Path


@dataclass(frozen=True)
class Noted:
    """What is known of a restart file: how many frames had been written before it, and whether it is as it was."""

    frames: int
    agrees: bool


def list_of(path: Path) -> Path:
    """Name the list in which the restart files of a folder are noted."""
    return path.with_name("checkpoints.csv")


def noted_of(path: Path) -> Noted | None:
    """Look a restart file up in the list beside it; None for one of an older version, which has no such list."""
    try:
        lines = list_of(path).read_text(errors="replace").split("\n")
    except OSError:
        return None
    found = Noted(0, False)
    for line in lines:
        entry, _, summed = line.rpartition(",")
        if summed == checksum(entry) and entry.startswith(f"{path.name},"):
            _, frames, expected = entry.split(",")
            found = Noted(int(frames), checksum(path.read_bytes()) == expected)
    return found


def check_restart(path: Path) -> None:
    """Make sure that a restart file is as it was written.

    Raises
    ------
    EngineError
        If it is not, or is missing.
    """
    with contextlib.suppress(OSError):
        found = noted_of(path)
        if path.exists() and (found is None or found.agrees):
            return
    raise EngineError(
        f"the restart file {path} is missing or is not as it was written; restore it from a copy of the campaign, or "
        "go on from positions and velocities: Campaign.open(directory, resume_from='structure')"
    )
