"""Folders in which labels are computed: one each, gone afterwards, and swept up after an accident."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from acemaker.errors import Cause, OracleError
from acemaker.oracles.output_messages import texts
from acemaker.oracles.worker import LABEL, RUN
from acemaker.process.child import kill_leftovers

SMALL = 200_000
"""Bytes; larger files of a failed calculation are not kept."""


KEPT_FOR = 7 * 86400.0
"""s, that a finished label waits for somebody to ask for it again."""


def cause_of(error: OSError) -> Cause:
    """Tell a full disk, where no other label would fare better, from a folder that is gone."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return Cause.DISK_FULL if error.errno in full else Cause.SCRATCH_LOST


@contextmanager
def scratch_folder(root: str) -> Iterator[Path]:
    """Make a folder for the time of a block.

    Parameters
    ----------
    root
        Where; empty for where temporary files go.

    Yields
    ------
    Path
        Whose name tells the owner.

    Raises
    ------
    OracleError
        If it cannot be made.
    """
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    try:
        where.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"acemaker-label-{_host()}-{os.getpid()}-", dir=where)).resolve()
    except OSError as error:
        raise OracleError(f"no folder can be made in {where}: {error}; give scratch", cause_of(error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(root: str) -> int:
    """Delete what owners that were killed have left, and end what still runs there.

    A label that is finished is kept for a week: whoever asks for it next has it without paying again.

    Parameters
    ----------
    root
        As for `scratch_folder`.

    Returns
    -------
    int
        How many there were.
    """
    swept = 0
    for folder in folders_of_the_dead(root):
        with contextlib.suppress(OSError):
            kill_leftovers(folder)
            label = folder / LABEL
            if label.is_file() and time.time() - label.stat().st_mtime < KEPT_FOR:
                _remove(folder / RUN)
                continue
            _remove(folder)
            swept += 1
    return swept


def folders_of_the_dead(root: str) -> list[Path]:
    """List the folders whose owners are gone.

    Parameters
    ----------
    root
        As for `scratch_folder`.
    """
    found = []
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    for folder in where.glob(f"acemaker-label-{_host()}-*"):
        owner = folder.name.split("-")[-2]
        with contextlib.suppress(OSError):
            # a link may lead to where nobody has asked for anything
            ours = not folder.is_symlink() and folder.lstat().st_uid == os.getuid()
            if ours and owner.isdigit() and not psutil.pid_exists(int(owner)):
                found.append(folder)
    return found


def end_own(root: str) -> None:
    """End whatever runs in the folders of this process, whoever waits for it.

    Parameters
    ----------
    root
        As for `scratch_folder`.
    """
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    for folder in where.glob(f"acemaker-label-{_host()}-{os.getpid()}-*"):
        kill_leftovers(folder)


def keep_texts(folder: Path, keep: Path) -> Path | None:
    """Copy the small text files of a failed calculation to a folder of their own.

    Parameters
    ----------
    folder
        Of the calculation.
    keep
        In which a folder is made for them.

    Returns
    -------
    Path or None
        That folder; None if there was nothing to keep, or it could not be made.
    """
    small = [(path, text) for path, text in texts(folder) if len(text) <= SMALL]
    try:
        kept = _numbered(keep)
        for path, text in small:
            name = "_".join(path.relative_to(folder).parts).removeprefix("run_")
            (kept / name).write_text(text)
    except (OSError, ValueError):
        return None
    return kept if small else None


def _numbered(keep: Path) -> Path:
    """Make the next folder; other threads and processes make theirs."""
    keep.mkdir(parents=True, exist_ok=True)
    while True:
        taken = [int(path.name.split("_")[1]) for path in keep.glob("failure_[0-9]*")]
        kept = keep / f"failure_{max(taken, default=0) + 1:04d}"
        with contextlib.suppress(FileExistsError):
            kept.mkdir()
            return kept


def _remove(folder: Path) -> None:
    """Delete a folder, also one into which a process that was just killed still writes."""
    for _ in range(30):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _host() -> str:
    """Name this machine without dashes: the scratch folder may be shared with others."""
    return socket.gethostname().replace("-", "_")
