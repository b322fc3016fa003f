"""Readers of files that another process is writing."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

PIECE = 1 << 20
"""Maximum number of bytes per read."""


class Tail:
    """Reads what has been added to a file since the last read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def read(self) -> bytes:
        """Return the next bytes, at most `PIECE`; empty if there are none or the file does not exist yet."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as stream:
            stream.seek(self._position)
            piece = stream.read(PIECE)
        self._position += len(piece)
        return piece


class ThermoReader:
    """Reads thermodynamic output in LAMMPS's YAML style from a growing log."""

    def __init__(self) -> None:
        self._rest = b""
        self._names: list[str] = []

    def feed(self, piece: bytes) -> list[dict[str, float]]:
        """Add the next bytes, which may begin and end anywhere.

        Returns
        -------
        list of dict
            Values of each line that these bytes have completed, by column name.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        rows = []
        for line in (raw_line.decode(errors="replace") for raw_line in lines):
            if match := re.match(r"keywords: \[(.*)\]", line):
                self._names = re.findall(r"'([^']+)'", match[1])
            elif match := re.match(r"  - \[(.*)\]", line):
                values = [text for text in match[1].split(",") if text.strip()]
                with contextlib.suppress(ValueError):  # skip damaged lines
                    rows.append(dict(zip(self._names, map(float, values), strict=True)))
        return rows
