"""The append-only journal: the only truth of a campaign."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acemaker.errors import CampaignError, CampaignLockedError
from acemaker.utils.checksum import checksum
from acemaker.utils.garbage_collection import uncollected

VERSION = 1

LOCK_TRIES, LOCK_PAUSE = 20, 0.05
"""How often the lock is asked for, and seconds in between."""

AT_ONCE = 1 << 20
"""Bytes of a journal that are parsed together."""

CHECKSUM = "checksum"
"""The last field of a line: of the bytes before it."""

_ENTRY = b', "checksum": "%b"}\n'

_SIZE = len(_ENTRY % b"x00000000")

_DAMAGED_ENTRY = re.compile(rb'"x[0-9a-f]{8}"}\n$')

_held: dict[Path, tuple[int, Journal]] = {}
"""Descriptors of the locks that this process holds, and who opened the campaign last."""


class Journal:
    """JSON lines, each with its number and a checksum, and flushed to disk before the campaign goes on.

    Parameters
    ----------
    path
        The file; made if missing. A last line that was torn by a crash is cut off.

    Attributes
    ----------
    events : list of dict
        All events so far, oldest first.

    Raises
    ------
    CampaignError
        If a line other than the last cannot be read, or was written by a later version.
        If its file system gives no locks.
    CampaignLockedError
        If another process has the journal open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._before: weakref.ref[Journal] | None = None
        self._lock()
        self._end, self._torn = 0, False
        with closing_on_error(self):
            self.events = self._read()

    def append(self, event: str, **data: Any) -> dict[str, Any]:
        """Write one event.

        Parameters
        ----------
        event
            What happened.
        **data
            Anything JSON can hold.

        Returns
        -------
        dict
            The event as it will be read.

        Raises
        ------
        CampaignError
            If the file is not as this object left it; nothing is written then.
        CampaignLockedError
            If this object was closed, and another process has the journal open.
        """
        if not self._has_lock():
            self._torn = False  # others may have written since, and what they wrote is not this one's to cut off
        if self.path not in _held:
            self._lock()
        self._check_end()
        line = json.dumps({"v": VERSION, "n": len(self.events), "event": event, **data})
        content = sealed(line)
        self._torn = True  # until it is known to be whole
        with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
            # an earlier write may have failed halfway, on a full disk say: what it left is cut off
            stream.truncate(self._end)
            stream.seek(self._end)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        self._end, self._torn = self._end + len(content), False
        read: dict[str, Any] = json.loads(line)
        self.events.append(read)
        return read

    def begin_anew(self) -> None:
        """Forget the events, whose file was removed; the lock stays."""
        self.events, self._end, self._torn = [], 0, False

    def close(self) -> None:
        """Let other processes open the campaign, unless it was opened once more in this one since."""
        if self._has_lock():
            os.close(_held.pop(self.path)[0])

    def give_back(self) -> None:
        """Close what could not be opened; whoever had the campaign open in this process before has it still."""
        before = self._before() if self._before is not None else None
        if before is not None and self._has_lock():
            _held[self.path] = _held[self.path][0], before
        else:
            self.close()

    def _has_lock(self) -> bool:
        return self.path in _held and _held[self.path][1] is self

    def _check_end(self) -> None:
        """Make sure that nobody else has written: two objects of one process may hold the same campaign."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._end or (size > self._end and not self._torn and self._has_lines_after(self._end)):
            raise CampaignError(
                f"the campaign in {self.path.parent} has been opened by another since, which has gone on with it, or "
                "its journal was changed; nothing is written: use the campaign that was opened last, or open it again"
            )

    def _has_lines_after(self, end: int) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(end)
            return b"\n" in stream.read()

    def _lock(self) -> None:
        """Lock against other processes; this one may open a campaign again, as a re-run cell does."""
        if self.path in _held:
            descriptor, before = _held[self.path]
            self._before = weakref.ref(before)
            _held[self.path] = descriptor, self
            return
        descriptor = os.open(self.path.with_name("lock"), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o644)
        for left in reversed(range(LOCK_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:  # the latter on some network file systems
                if left:  # whoever only asks whether the campaign is driven holds the lock for a moment
                    time.sleep(LOCK_PAUSE)
                    continue
                os.close(descriptor)
                raise CampaignLockedError(
                    f"another process has the campaign in {self.path.parent} open; stop it, or choose another "
                    "directory, or look on: acemaker.attach(directory)"
                ) from error
            except OSError as error:
                os.close(descriptor)
                raise CampaignError(
                    f"the file system of {self.path.parent} gives no locks ({error.strerror}), without which two "
                    "processes could write to one campaign; choose a directory on another one"
                ) from error
            break
        _held[self.path] = descriptor, self

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        events, self._end = read_events(self.path)
        if self._end < self.path.stat().st_size:
            with self.path.open("r+b") as stream:
                stream.truncate(self._end)
        return events


@uncollected()
def read_events(path: Path, start: int = 0, number: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read a journal without locking or changing it, as one looks at a campaign that another process runs.

    Parameters
    ----------
    path
        The journal.
    start
        Bytes that have been read before: where the first event wanted begins.
    number
        Events that have been read before.

    Returns
    -------
    events : list of dict
        Oldest first; a last line that is not whole is left out.
    end : int
        Where the next event will begin.

    Raises
    ------
    CampaignError
        If a line other than the last cannot be read, or was written by a later version.
    """
    events: list[dict[str, Any]] = []
    end = start
    with path.open("rb") as stream:
        stream.seek(start)
        while lines := stream.readlines(AT_ONCE):
            whole = _in_order(lines, _parse(lines), number + len(events))
            events += whole
            end += sum(map(len, lines[: len(whole)]))
            if len(whole) < len(lines):
                if len(whole) + 1 < len(lines) or stream.read(1):
                    after = f" after byte {start}" if start else ""
                    raise CampaignError(
                        f"line {len(events) + 1}{after} of {path} cannot be read, or is not as it was written; the "
                        "lines before it are whole: restore the file from a copy, or move that line and the later ones "
                        "away to go on from there"
                    )
                break  # torn by a crash, or being written: it was not yet acted upon
    for event in events:
        if event["v"] > VERSION:
            raise CampaignError(
                f"{path} was written by a later version of acemaker (journal version {event['v']}, this "
                f"one reads up to {VERSION}); upgrade acemaker"
            )
    return events, end


def is_driven(path: Path) -> bool:
    """Tell whether a process has a journal open for writing.

    Parameters
    ----------
    path
        The journal.
    """
    try:
        descriptor = os.open(path.with_name("lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # no locks there: nobody can have one
        return False
    else:
        return False
    finally:
        os.close(descriptor)  # which gives the lock back


@contextmanager
def closing_on_error(journal: Journal | None) -> Iterator[None]:
    """Give the lock back if a block fails, since nobody would be left to do so."""
    try:
        yield
    except BaseException:
        if journal is not None:
            journal.give_back()
        raise


def _parse(lines: list[bytes]) -> list[dict[str, Any]]:
    """Read events up to the first line that is none."""
    events = []
    if lines[-1].endswith(b"\n"):
        try:  # at once: several times as fast, and the names of fields share their memory
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
    """Make a journal's line of an event in JSON: with a checksum at its end.

    Parameters
    ----------
    line
        The event.
    """
    content = line[:-1].encode()
    return content + _entry(content)


def _entry(content: bytes) -> bytes:
    return _ENTRY % checksum(content).encode()


def _in_order(lines: list[bytes], events: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Keep events up to the first that is not as it was written, or not where; those of older versions cannot tell."""
    summed = False
    for place, (line, event) in enumerate(zip(lines, events, strict=False)):
        if CHECKSUM not in event:
            if summed or _DAMAGED_ENTRY.search(line):
                return events[:place]
            continue
        summed = True
        if not line.endswith(_entry(line[:-_SIZE])) or event["n"] != number + place:
            return events[:place]
        del event[CHECKSUM]
    return events


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("event"), str) and isinstance(event.get("v"), int)
