"""Temporary folders of labels, and their cleanup after processes were killed."""

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
from acemaker.oracles.output_messages import read_outputs
from acemaker.oracles.worker import LABEL, RUN
from acemaker.process.child import kill_leftovers

SMALL = 200_000
"""Bytes; larger files of a failed calculation are not saved."""

RETENTION = 7 * 86400.0
"""Time in s for which a finished label can be recovered."""


def cause_of(error: OSError) -> Cause:
    """Distinguish a full disk, which makes every label fail, from a deleted folder."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return Cause.DISK_FULL if error.errno in full else Cause.SCRATCH_LOST


@contextmanager
def scratch_folder(root: str) -> Iterator[Path]:
    """Create a folder for the duration of a block.

    Parameters
    ----------
    root
        Folder in which it is created; empty for the folder for temporary files.

    Yields
    ------
    Path
        The folder, whose name contains host and process of the owner.

    Raises
    ------
    OracleError
        If the folder cannot be created.
    """
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    try:
        where.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"acemaker-label-{_host()}-{os.getpid()}-", dir=where)).resolve()
    except OSError as error:
        raise OracleError(f"cannot create a folder in {where}: {error}; set scratch", cause_of(error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(root: str) -> int:
    """Delete the folders of killed processes, and kill processes that still run there.

    A finished label is not deleted for a week, so that it can be recovered instead of computed again.

    Parameters
    ----------
    root
        As for `scratch_folder`.

    Returns
    -------
    int
        Number of deleted folders.
    """
    swept = 0
    for folder in abandoned_folders(root):
        with contextlib.suppress(OSError):
            kill_leftovers(folder)
            label = folder / LABEL
            if label.is_file() and time.time() - label.stat().st_mtime < RETENTION:
                _remove(folder / RUN)
                continue
            _remove(folder)
            swept += 1
    return swept


def abandoned_folders(root: str) -> list[Path]:
    """List the folders whose owner processes no longer exist.

    Parameters
    ----------
    root
        As for `scratch_folder`.
    """
    abandoned = []
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    for folder in where.glob(f"acemaker-label-{_host()}-*"):
        owner = folder.name.split("-")[-2]
        with contextlib.suppress(OSError):
            # a link could lead to any other folder
            is_own = not folder.is_symlink() and folder.lstat().st_uid == os.getuid()
            if is_own and owner.isdigit() and not psutil.pid_exists(int(owner)):
                abandoned.append(folder)
    return abandoned


def end_labels(root: str) -> None:
    """Kill all processes that run in folders of this process.

    Parameters
    ----------
    root
        As for `scratch_folder`.
    """
    where = Path(root or tempfile.gettempdir()).expanduser().absolute()
    for folder in where.glob(f"acemaker-label-{_host()}-{os.getpid()}-*"):
        kill_leftovers(folder)


def save_outputs(folder: Path, failures: Path) -> Path | None:
    """Copy the small text files of a failed calculation to a new folder.

    Parameters
    ----------
    folder
        Folder of the calculation.
    failures
        Folder in which the new folder is created.

    Returns
    -------
    Path or None
        The new folder; None if there was nothing to copy, or if it could not be created.
    """
    small = [(path, text) for path, text in read_outputs(folder) if len(text) <= SMALL]
    try:
        target = _numbered(failures)
        for path, text in small:
            name = "_".join(path.relative_to(folder).parts).removeprefix("run_")
            (target / name).write_text(text)
    except (OSError, ValueError):
        return None
    return target if small else None


def _numbered(failures: Path) -> Path:
    """Create the next numbered folder; other threads and processes may do the same concurrently."""
    failures.mkdir(parents=True, exist_ok=True)
    while True:
        numbers = [int(path.name.split("_")[1]) for path in failures.glob("failure_[0-9]*")]
        folder = failures / f"failure_{max(numbers, default=0) + 1:04d}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder


def _remove(folder: Path) -> None:
    """Delete a folder, even if a process that was just killed still writes into it."""
    for _ in range(30):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _host() -> str:
    """Return the name of this machine without dashes, since several machines may share the scratch folder."""
    return socket.gethostname().replace("-", "_")
