"""Check of LAMMPS's restart files."""

from __future__ import annotations

from pathlib import Path

MAGIC = b"LammpS RestartT\0"
"""Bytes at the beginning of a LAMMPS restart file and, once it is complete, at its end."""


def is_whole(restart: Path) -> bool:
    """Return whether a restart file is complete."""
    size = restart.stat().st_size
    if size < 2 * len(MAGIC):
        return False
    with restart.open("rb") as stream:
        start = stream.read(len(MAGIC))
        stream.seek(-len(MAGIC), 2)
        return start == MAGIC and stream.read() == MAGIC
