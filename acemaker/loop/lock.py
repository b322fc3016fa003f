"""The lock of a campaign's directory: one process at a time may write to its journal."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path

from acemaker.errors import CampaignError, CampaignLockedError

TRIES, PAUSE = 20, 0.05
"""Number of attempts to take the lock, and seconds between them."""

_held: dict[Path, tuple[int, CampaignLock]] = {}
"""The locks of this process by directory: descriptor of the lock file, and the object that took the lock last."""


class CampaignLock:
    """The lock of one campaign; another object of the process that holds it may take it, as when a cell is run again.

    Parameters
    ----------
    directory
        The campaign's directory; the lock is a file in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._before: weakref.ref[CampaignLock] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object was the last of this process to take the lock."""
        return self._directory in _held and _held[self._directory][1] is self

    @property
    def is_held_here(self) -> bool:
        """Whether any object of this process has the lock."""
        return self._directory in _held

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        CampaignLockedError
            If another process has it.
        CampaignError
            If the file system does not support locks.
        """
        if self.is_held_here:
            descriptor, before = _held[self._directory]
            self._before = weakref.ref(before)
            _held[self._directory] = descriptor, self
            return
        descriptor = os.open(_file(self._directory), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o644)
        try:
            self._flock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        _held[self._directory] = descriptor, self

    def release(self) -> None:
        """Let other processes open the campaign, unless another object of this process has taken the lock since."""
        if self.is_held:
            os.close(_held.pop(self._directory)[0])

    def give_back(self) -> None:
        """Return the lock to the object of this process that had it before; release it if there was none."""
        before = self._before() if self._before is not None else None
        if before is not None and self.is_held:
            _held[self._directory] = _held[self._directory][0], before
        else:
            self.release()

    def _flock(self, descriptor: int) -> None:
        for remaining in reversed(range(TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:  # the latter on some network file systems
                if remaining:  # `is_locked` in another process holds the lock for a moment
                    time.sleep(PAUSE)
                    continue
                raise CampaignLockedError(
                    f"another process has the campaign in {self._directory} open; stop that process, choose another "
                    "directory, or observe the campaign with acemaker.attach(directory)"
                ) from error
            except OSError as error:
                raise CampaignError(
                    f"the file system of {self._directory} does not support locks ({error.strerror}), without which "
                    "two processes could write to one campaign; choose a directory on another file system"
                ) from error
            return


def is_locked(directory: Path) -> bool:
    """Return whether a process has a campaign open for writing.

    Parameters
    ----------
    directory
        The campaign's directory.
    """
    try:
        descriptor = os.open(_file(directory), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # a file system without locks: no process can hold one
        return False
    else:
        return False
    finally:
        os.close(descriptor)  # this also releases the lock


def _file(directory: Path) -> Path:
    return directory / "lock"
