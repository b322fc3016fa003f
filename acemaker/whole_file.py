"""Files that are whole or not there, and that are never written through a link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, content: str | Iterable[str]) -> None:
    """Write a text file at once or not at all, flushed to disk.

    What lies in the place of the file or of its first draft is replaced, not written to: it may be a link to another
    file.

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
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with part.open("x", encoding="utf-8") as stream:
            stream.writelines([content] if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError:  # a full disk, say
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
