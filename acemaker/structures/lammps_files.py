"""Files of LAMMPS: data files and dumps, recognized by their beginning."""

from __future__ import annotations

import re

DATA, DUMP = "lammps-data", "lammps-dump-text"
"""ASE's names of the formats."""

_COUNT = re.compile(r"^\s*\d+\s+atoms\s*(?:#.*)?$", re.M)
_BOX = re.compile(r"^.*\b(?:xlo\s+xhi|avec)\b", re.M)


def lammps_format(head: str) -> str | None:
    """Return the format of a file of LAMMPS, or None for another file.

    Parameters
    ----------
    head
        Beginning of the file.
    """
    if head.lstrip().startswith(("ITEM: TIMESTEP", "ITEM: UNITS", "ITEM: TIME")):
        return DUMP
    return DATA if _COUNT.search(head) and _BOX.search(head) else None
