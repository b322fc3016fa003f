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

TEMPORARY = ("/tmp", "/var/tmp")
"""Folders for temporary files, if the path of the one that is set is not plain."""


class PlainPaths:
    """Provides alternative paths of files whose own paths contain characters that LAMMPS does not accept.

    LAMMPS expands asterisks and percent signs in file names, cannot escape double quotes, and replaces non-ASCII
    characters. A folder is referred to by an open file descriptor on Linux, elsewhere by a symbolic link in a temporary
    folder; a file by a symbolic link.
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
            If the system has no open file descriptors as paths, as Linux has, and no temporary folder of a plain name.
        """
        if script.is_plain(str(path)):
            return script.quote(path)
        if not script.is_plain(path.name):
            with self._lock:
                link = self._link(path)
            return self.quote(link)
        with self._lock:
            if has_descriptors():
                folder = Path(f"/proc/self/fd/{self._handle(path.parent.resolve())}")
            else:
                folder = self._link(path.parent)
        return script.quote(folder / path.name)

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
        """Create a link with a plain name to a file or folder; a suffix is preserved, since LAMMPS may depend on it."""
        target = path.absolute()
        if self._owner != os.getpid():  # a fork must not use the links of its parent
            self._links, self._folder, self._owner = {}, None, os.getpid()
        if target not in self._links:
            if self._folder is None:
                where = None if has_descriptors() else plain_temporary_folder()
                self._folder = Path(tempfile.mkdtemp(prefix="acemaker-names-", dir=where))
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
        If the name is not valid UTF-8, which pyace requires; or if it needs an alternative path, and the system has
        none, see `PlainPaths.quote`.
    """
    try:
        str(directory).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"the name of the directory {str(directory)!a} is not valid UTF-8; choose another one"
        ) from error
    if not script.is_plain(str(directory)) and not has_descriptors():
        plain_temporary_folder()


def has_descriptors() -> bool:
    """Return whether open file descriptors are paths: on Linux, unless ``/proc`` is not mounted."""
    return sys.platform == "linux" and Path("/proc/self/fd").is_dir()


def plain_temporary_folder() -> Path:
    """Return a folder for temporary files whose path LAMMPS accepts.

    Raises
    ------
    ConfigError
        If there is none.
    """
    for name in (tempfile.gettempdir(), *TEMPORARY):
        folder = Path(name).resolve()
        if script.is_plain(str(folder)) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise ConfigError(
        f"LAMMPS needs a folder for temporary files whose path consists of ASCII characters and contains no double "
        f"quote, asterisk, percent sign or line break, and cannot use {tempfile.gettempdir()!r}; set TMPDIR to another "
        "folder"
    )
