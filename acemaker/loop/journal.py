"""The append-only journal of a campaign, from which its state is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acemaker.errors import CampaignError
from acemaker.loop.lock import CampaignLock
from acemaker.utils.checksum import checksum
from acemaker.utils.garbage_collection import collection_paused

VERSION = 2
"""Version of the journal's format; journals of other versions are refused."""

CHUNK_SIZE = 1 << 20
"""Bytes of a journal that are parsed together."""

CHECKSUM = "checksum"
"""Last field of a line: the checksum of the bytes before it."""

_CHECKSUM_FIELD = b', "checksum": "%b"}\n'

_FIELD_SIZE = len(_CHECKSUM_FIELD % b"x00000000")


class Journal:
    """JSON lines, each with its number and a checksum, and flushed to disk before the campaign continues.

    Parameters
    ----------
    path
        The file; it is created if it does not exist. An incomplete last line, left by a crash, is removed.

    Attributes
    ----------
    events : list of dict
        All events so far, oldest first.

    Raises
    ------
    CampaignError
        If a line other than the last cannot be read, or the journal has another format.
        If the file system does not support locks.
    CampaignLockedError
        If another process has the journal open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = CampaignLock(self.path.parent)
        self._lock.acquire()
        self._end, self._incomplete = 0, False
        with closing_on_error(self):
            self.events = self._read()

    def append(self, event: str, **data: Any) -> dict[str, Any]:
        """Write one event.

        Parameters
        ----------
        event
            Name of the event.
        **data
            Fields of the event; JSON must be able to represent them.

        Returns
        -------
        dict
            The event as it will be read.

        Raises
        ------
        CampaignError
            If the file was changed since this object read or wrote it; nothing is written then.
        CampaignLockedError
            If this object was closed, and another process has the journal open.
        """
        if not self._lock.is_held:
            self._incomplete = False  # another object may have written since; its lines must not be removed
        if not self._lock.is_held_here:
            self._lock.acquire()
        self._check_end()
        line = json.dumps({"v": VERSION, "n": len(self.events), "event": event, **data})
        content = sealed(line)
        self._incomplete = True  # until all of it is on disk
        with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
            # remove what an earlier write left that failed halfway, for example on a full disk
            stream.truncate(self._end)
            stream.seek(self._end)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        self._end, self._incomplete = self._end + len(content), False
        written: dict[str, Any] = json.loads(line)
        self.events.append(written)
        return written

    def reset(self) -> None:
        """Clear the events after the file was removed; the lock stays."""
        self.events, self._end, self._incomplete = [], 0, False

    def close(self) -> None:
        """Let other processes open the campaign, unless another object of this process has opened it since."""
        self._lock.release()

    def give_back(self) -> None:
        """Close a campaign that could not be opened; the object of this process that had it open before keeps it."""
        self._lock.give_back()

    def _check_end(self) -> None:
        """Raise an error if the file was changed: two objects of one process may hold the same campaign."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._end or (size > self._end and not self._incomplete and self._has_lines_after(self._end)):
            raise CampaignError(
                f"the campaign in {self.path.parent} was opened and continued by another object of this process, or "
                "its journal was changed; nothing was written: use the object that was opened last, or open the "
                "campaign again"
            )

    def _has_lines_after(self, end: int) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(end)
            return b"\n" in stream.read()

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        events, self._end = read_events(self.path)
        if self._end < self.path.stat().st_size:
            with self.path.open("r+b") as stream:
                stream.truncate(self._end)
        return events


@collection_paused()
def read_events(path: Path, start: int = 0, number: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read a journal without locking or changing it; another process may be writing to it.

    Parameters
    ----------
    path
        The journal.
    start
        Number of bytes that were read before.
    number
        Number of events that were read before.

    Returns
    -------
    events : list of dict
        Oldest first, without an incomplete last line.
    end : int
        Position of the next event.

    Raises
    ------
    CampaignError
        If a line other than the last cannot be read, or the journal has another format.
    """
    events: list[dict[str, Any]] = []
    end = start
    with path.open("rb") as stream:
        stream.seek(start)
        while lines := stream.readlines(CHUNK_SIZE):
            valid = _valid(lines, _parse(lines), number + len(events))
            events += valid
            end += sum(map(len, lines[: len(valid)]))
            if len(valid) < len(lines):
                if len(valid) + 1 < len(lines) or stream.read(1):
                    after = f" after byte {start}" if start else ""
                    raise CampaignError(
                        f"line {len(events) + 1}{after} of {path} is damaged or was changed; the lines before it are "
                        "intact: restore the file from a copy, or move that line and all later ones to another file "
                        "to continue from there"
                    )
                break  # left by a crash, or being written: the campaign has not acted on it
    for event in events:
        if event["v"] != VERSION:
            raise CampaignError(_another_format(path, event["v"]))
    return events, end


@contextmanager
def closing_on_error(journal: Journal | None) -> Iterator[None]:
    """Give the lock back if a block fails."""
    try:
        yield
    except BaseException:
        if journal is not None:
            journal.give_back()
        raise


def _another_format(path: Path, version: int) -> str:
    formats = f"{path} has journal format {version}, this version of acemaker reads format {VERSION}"
    if version > VERSION:
        return f"{formats}; it was written by a later version: upgrade acemaker"
    return (
        f"{formats}; it was written by an earlier version: continue this campaign with that version, or "
        "start a new one in another directory (the labels and potentials in this one remain readable)"
    )


def _parse(lines: list[bytes]) -> list[dict[str, Any]]:
    """Read events up to the first line that is not an event."""
    events = []
    if lines[-1].endswith(b"\n"):
        try:  # all together: several times as fast, and equal field names share their memory
            events = json.loads(b"[" + b",".join(lines) + b"]")
        except (ValueError, RecursionError):
            events = []
    if len(events) == len(lines) and all(map(_is_event, events)):
        return events
    events = []
    for line in lines:
        try:
            event = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            break
        if not _is_event(event):
            break
        events.append(event)
    return events


def sealed(line: str) -> bytes:
    """Return the line of an event in the journal, with a checksum at its end.

    Parameters
    ----------
    line
        The event as a JSON object.
    """
    content = line[:-1].encode()
    return content + _checksum_field(content)


def _checksum_field(content: bytes) -> bytes:
    return _CHECKSUM_FIELD % checksum(content).encode()


def _valid(lines: list[bytes], events: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Return the events before the first one that is damaged or out of order.

    Lines of other formats need no checksum, so that the error names the format.
    """
    for index, (line, event) in enumerate(zip(lines, events, strict=False)):
        if CHECKSUM not in event:
            if event["v"] == VERSION:
                return events[:index]
            continue
        if not line.endswith(_checksum_field(line[:-_FIELD_SIZE])) or event["n"] != number + index:
            return events[:index]
        del event[CHECKSUM]
    return events


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("event"), str) and isinstance(event.get("v"), int)
