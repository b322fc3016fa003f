"""Reading files that another process is writing."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

PIECE = 1 << 20
"""Bytes read at once."""


class Tail:
    """What was added to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def read(self) -> bytes:
        """Return the next bytes; none where there is no file yet."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as stream:
            stream.seek(self._position)
            piece = stream.read(PIECE)
        self._position += len(piece)
        return piece


class ThermoReader:
    """Reads thermodynamic output in LAMMPS's YAML style out of a growing log."""

    def __init__(self) -> None:
        self._rest = b""
        self._names: list[str] = []

    def feed(self, piece: bytes) -> list[dict[str, float]]:
        """Take in the next bytes, wherever they were cut.

        Returns
        -------
        list of dict
            Each complete line's values by column name.
        """
        *whole, self._rest = (self._rest + piece).split(b"\n")
        found = []
        for line in (raw.decode(errors="replace") for raw in whole):
            if match := re.match(r"keywords: \[(.*)\]", line):
                self._names = re.findall(r"'([^']+)'", match[1])
            elif match := re.match(r"  - \[(.*)\]", line):
                values = [text for text in match[1].split(",") if text.strip()]
                with contextlib.suppress(ValueError):  # a damaged line is as good as none
                    found.append(dict(zip(self._names, map(float, values), strict=True)))
        return found
