"""What a notebook prints, on the terminal."""

from __future__ import annotations

import contextlib
from typing import TextIO


class Lines:
    """A stream that passes on whole lines that are not blank.

    Parameters
    ----------
    stream
        Where to; that it was closed, as by a pager, is no reason to end a campaign.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        """Take text, and pass on the lines that are whole."""
        *whole, self._rest = (self._rest + text).split("\n")
        with contextlib.suppress(OSError, ValueError):
            for line in whole:
                if line.strip():
                    self._stream.write(line.rstrip() + "\n")
        return len(text)

    def flush(self) -> None:
        """Let what was passed on be seen."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def close(self) -> None:
        """Pass on a last line without an end; the stream stays open."""
        if self._rest:
            self.write("\n")
        self.flush()
