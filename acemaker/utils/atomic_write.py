"""Atomic writing of files, never through a link."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_numbers = itertools.count()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file atomically, and flush it to disk.

    An existing file is replaced rather than overwritten, since it may be a link to another file. If several processes
    write it at the same time, the last one wins.

    Parameters
    ----------
    path
        Path of the file; its folder must exist.

    Yields
    ------
    BinaryIO
        The file to write, which gets its name when the block ends.

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is not changed then, and no partial file is left.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}.part")
    part.unlink(missing_ok=True)  # left by a killed process with the same PID
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:  # e.g. a full disk or Ctrl-C
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | Iterable[str]) -> None:
    """Write a text file as `whole_file` does.

    Parameters
    ----------
    path
        Path of the file; its folder must exist.
    content
        Text, in one or several pieces.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with whole_file(path) as stream:
        stream.writelines(text.encode() for text in ([content] if isinstance(content, str) else content))
