"""Restart files: their names, and the list with their checksums."""

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
class CheckpointEntry:
    """Entry of a restart file in the list.

    Attributes
    ----------
    n_frames : int
        Number of frames of the trajectory that were written before it.
    is_intact : bool
        Whether the file agrees with its checksum.
    """

    n_frames: int
    is_intact: bool


def list_path(path: Path) -> Path:
    """Return the path of the list of the restart files in the folder of `path`."""
    return path.with_name("checkpoints.csv")


def find_entry(path: Path) -> CheckpointEntry | None:
    """Find a restart file in the list beside it; None if there is no list, as in older versions."""
    try:
        lines = list_path(path).read_text(errors="replace").split("\n")
    except OSError:
        return None
    entry = CheckpointEntry(0, False)
    for line in lines:
        row, _, row_checksum = line.rpartition(",")
        if row_checksum == checksum(row) and row.startswith(f"{path.name},"):
            _, frames, expected = row.split(",")
            entry = CheckpointEntry(int(frames), checksum(path.read_bytes()) == expected)
    return entry


def check_restart(path: Path) -> None:
    """Verify that a restart file is unchanged.

    Raises
    ------
    EngineError
        If it is missing or has changed.
    """
    with contextlib.suppress(OSError):
        entry = find_entry(path)
        if path.exists() and (entry is None or entry.is_intact):
            return
    raise EngineError(
        f"the restart file {path} is missing or damaged; restore it from a copy of the campaign, or continue from "
        "positions and velocities: Campaign.open(directory, resume_from='structure')"
    )
