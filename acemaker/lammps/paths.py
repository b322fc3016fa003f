"""Paths that LAMMPS accepts, for folders and files with any names."""

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
    """Provides alternative paths of files whose own paths contain characters that LAMMPS does not accept.

    LAMMPS expands asterisks and percent signs in file names, cannot escape double quotes, and replaces non-ASCII
    characters. A folder is referred to by an open file descriptor, a file by a symbolic link in a temporary folder.
    """

    def __init__(self) -> None:
        self._handles: dict[Path, int] = {}
        self._links: dict[Path, Path] = {}
        self._folder: Path | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def quote(self, path: Path) -> str:
        """Return a quoted path for a LAMMPS command.

        Parameters
        ----------
        path
            File to be read or written.

        Raises
        ------
        ConfigError
            If the name of the folder contains such characters and the system is not Linux, which alone provides an
            alternative path.
        """
        if script.is_plain(str(path)):
            return script.quote(path)
        if not script.is_plain(path.name):
            with self._lock:
                link = self._link(path)
            return self.quote(link)
        if sys.platform != "linux":
            return script.quote(path)  # raises ConfigError
        with self._lock:
            handle = self._handle(path.parent.resolve())
        return script.quote(Path(f"/proc/self/fd/{handle}") / path.name)

    def close(self) -> None:
        """Close the file descriptors, and delete the links."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()
        self._links.clear()
        if self._folder is not None and self._owner == os.getpid():  # in a fork, the links belong to the parent
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def _handle(self, folder: Path) -> int:
        """Return a file descriptor of a folder; it is opened again if the folder has been replaced."""
        handle = self._handles.get(folder)
        if handle is None or not os.path.samestat(os.fstat(handle), folder.stat()):
            handle = self._handles[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        return handle

    def _link(self, path: Path) -> Path:
        """Create a link to a file with a plain name; the suffix is preserved, since LAMMPS may depend on it."""
        target = path.absolute()
        if self._owner != os.getpid():  # a fork must not use the links of its parent
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
    """Return the paths of the potential files of this process's oracles; they are valid until the process ends."""
    paths = PlainPaths()
    atexit.register(paths.close)
    return paths


def check_path(directory: Path) -> None:
    """Check that LAMMPS and pyace can use a folder.

    Raises
    ------
    ConfigError
        If the name is not valid UTF-8, which pyace requires; or, on systems other than Linux, if it is not plain ASCII
        or contains a double quote, an asterisk, a percent sign or a line break.
    """
    try:
        str(directory).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"the name of the directory {str(directory)!a} is not valid UTF-8; choose another one"
        ) from error
    if sys.platform != "linux":
        script.quote(directory)
