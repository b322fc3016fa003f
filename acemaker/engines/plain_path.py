"""Paths that LAMMPS can be given, whatever their folders are called."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from acemaker.engines import script
from acemaker.errors import ConfigError


class PlainPaths:
    """Names files by an open handle of their folder where LAMMPS would stumble over the folder's name.

    It expands asterisks and percent signs in file names, and knows no way to write a double quote.
    """

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}

    def quote(self, path: Path) -> str:
        """Return the path for a LAMMPS command.

        Raises
        ------
        ConfigError
            If the file's own name holds such characters, or the folder's does where the system has no
            other name for it (only Linux has).
        """
        try:
            return script.quote(path)
        except ConfigError:
            if sys.platform != "linux":
                raise
        folder = path.parent.resolve()
        if folder not in self._handles:
            self._handles[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        return script.quote(Path(f"/proc/self/fd/{self._handles[folder]}") / path.name)

    def close(self) -> None:
        """Let the folders go."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()


def check_path(directory: Path) -> None:
    """Refuse a folder that LAMMPS cannot be given in any way.

    Raises
    ------
    ConfigError
        Off Linux, for names with a double quote, an asterisk, a percent sign or a line break.
    """
    if sys.platform != "linux":
        script.quote(directory)
