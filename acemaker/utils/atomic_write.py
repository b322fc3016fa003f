"""Files that are whole or not there, and that are never written through a link."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

_numbers = itertools.count()


def write_whole(path: Path, content: str | Iterable[str]) -> None:
    """Write a text file at once or not at all, flushed to disk.

    What lies in its place is replaced, not written to: it may be a link to another file. Of several that write it at
    the same time the last one counts.

    Parameters
    ----------
    path
        The file; its folder must exist.
    content
        Its text, in one piece or several.

    Raises
    ------
    OSError
        If it cannot be written; an earlier file is still there then, and nothing else is left.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{next(_numbers)}.part")
    part.unlink(missing_ok=True)  # of a process of this number that was killed
    try:
        with part.open("x", encoding="utf-8") as stream:
            stream.writelines([content] if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:  # a full disk, say, or Ctrl-C
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
