"""LAMMPS's restart files, seen from outside."""

from __future__ import annotations

from pathlib import Path

MAGIC = b"LammpS RestartT\0"
"""What a restart file of LAMMPS's begins and, once it is whole, ends with."""


def is_whole(restart: Path) -> bool:
    """Tell whether a restart file has been written to its end."""
    size = restart.stat().st_size
    if size < 2 * len(MAGIC):
        return False
    with restart.open("rb") as stream:
        start = stream.read(len(MAGIC))
        stream.seek(-len(MAGIC), 2)
        return start == MAGIC and stream.read() == MAGIC
