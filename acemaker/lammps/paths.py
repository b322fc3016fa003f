"""Paths that LAMMPS can be given, whatever their folders and files are called."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from acemaker.errors import ConfigError
from acemaker.lammps import script


class PlainPaths:
    """Names files by other paths where LAMMPS would stumble over the characters of their own.

    It expands asterisks and percent signs in file names, knows no way to write a double quote, and replaces characters
    beyond ASCII. A folder is named by an open handle of it, a file by a link in a folder of its own.
    """

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}
        self._links: dict[Path, Path] = {}
        self._folder: Path | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def quote(self, path: Path) -> str:
        """Return the path for a LAMMPS command.

        Parameters
        ----------
        path
            Of a file that is read or written.

        Raises
        ------
        ConfigError
            If the file's folder has such characters where the system has no other name for it (only Linux has).
        """
        if script.is_plain(str(path)):
            return script.quote(path)
        if not script.is_plain(path.name):
            with self._lock:
                link = self._link(path)
            return self.quote(link)
        if sys.platform != "linux":
            return script.quote(path)  # which refuses it
        with self._lock:
            handle = self._handle(path.parent.resolve())
        return script.quote(Path(f"/proc/self/fd/{handle}") / path.name)

    def close(self) -> None:
        """Let the folders and links go."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()
        self._links.clear()
        if self._folder is not None and self._owner == os.getpid():  # in a fork, the links are still the parent's
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def _handle(self, folder: Path) -> int:
        """Open a folder; another one that has taken its place since is opened anew."""
        handle = self._handles.get(folder)
        if handle is None or not os.path.samestat(os.fstat(handle), folder.stat()):
            handle = self._handles[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        return handle

    def _link(self, path: Path) -> Path:
        """Give a file a plain name; its suffix stays, by which LAMMPS may tell what it is."""
        target = path.absolute()
        if self._owner != os.getpid():  # in a fork, whose links must not be those of the parent
            self._links, self._folder, self._owner = {}, None, os.getpid()
        if target not in self._links:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="acemaker-names-"))
            suffix = next((text for text in ("".join(path.suffixes), path.suffix) if script.is_plain(text)), "")
            link = self._folder / f"file_{len(self._links)}{suffix}"
            link.symlink_to(target)
            self._links[target] = link
        return self._links[target]


@cache
def oracle_paths() -> PlainPaths:
    """Return the names of the potential files of this process's oracles, which are kept to its end."""
    paths = PlainPaths()
    atexit.register(paths.close)
    return paths


def check_path(directory: Path) -> None:
    """Refuse a folder that LAMMPS cannot be given in any way.

    Raises
    ------
    ConfigError
        For names with bytes that are no text, which pyace cannot be given; off Linux, for names that are not plain
        ASCII, or hold a double quote, an asterisk, a percent sign or a line break.
    """
    try:
        str(directory).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"the name of the directory {str(directory)!a} is not valid UTF-8; choose another one"
        ) from error
    if sys.platform != "linux":
        script.quote(directory)
