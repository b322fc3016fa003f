"""Launches a command on a worker of a Dask scheduler: python -m acemaker.engines.dask_launcher ADDRESS COMMAND ...

It is a launcher of the isolated engine: the command runs in the same folder, with the same environment, until it ends
or standard input closes here, and its exit status is this program's. A command is begun once: one whose worker is lost
is not begun again, as what it had written is being read already.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAUSE = 0.05
"""s between two looks."""

MOST = 100_000
"""Bytes of the command's output that are passed on, the last ones."""

BEGUN = "begun"
"""Name of the file that the worker leaves in the folder."""


class LostWorkerError(Exception):
    """The worker that ran the command has ended."""


def main(arguments: Sequence[str]) -> int:
    """Run the command to its end or the owner's."""
    address, *command = arguments
    try:
        import distributed
    except ImportError as error:
        return _refuse(f"a launch on Dask's workers needs distributed ({error}); pip install 'acemaker[dask]'")
    logging.disable()  # its tracebacks would hide what is said below
    try:
        client = distributed.Client(address, set_as_default=False)  # Dask's own timeouts
    except (OSError, ValueError) as error:
        return _refuse(f"no Dask scheduler answers at {address!r} ({error}); start one, or give its address")
    with client:
        future = client.submit(run, command, str(Path.cwd()), dict(os.environ), pure=False)
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(PAUSE):
            readable, _, _ = select.select([0], [], [], 0)
            if readable and not os.read(0, 1024):
                future.cancel()
                return 1
        try:
            status, output = future.result()
        except Exception as error:
            return _refuse(f"the command was lost on Dask's workers: {error}")
    sys.stdout.buffer.write(output)
    return int(status) if status >= 0 else 128 - int(status)


def run(command: Sequence[str], directory: str, environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a command on a worker, as long as somebody waits for it.

    Parameters
    ----------
    command
        Program and arguments, that end with their standard input.
    directory
        Where.
    environment
        All variables.

    Returns
    -------
    status : int
        Of the command.
    output : bytes
        The end of what it said.

    Raises
    ------
    LostWorkerError
        If it was begun on another worker.
    """
    try:
        Path(directory, BEGUN).touch(exist_ok=False)
    except FileExistsError:
        raise LostWorkerError("the worker that ran it has ended") from None
    wanted = _wanted()
    with tempfile.TemporaryFile() as stream:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.STDOUT
        )
        assert process.stdin is not None
        while process.poll() is None and wanted():
            time.sleep(PAUSE)
        with contextlib.suppress(OSError):
            process.stdin.close()
        status = process.wait()
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - MOST))
        return status, stream.read()


def _wanted() -> Any:
    """Return what tells whether this task is wanted: not cancelled, its client there, and the worker not closing."""
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        closing = worker.status in (Status.closing, Status.closed, Status.failed)  # its scheduler has gone, perhaps
        return task is not None and task.state == "executing" and not closing

    return wanted


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)  # noqa: T201 - the owner keeps it
    return 1


if __name__ == "__main__":
    from acemaker.engines.dask_launcher import main as by_name  # what is sent has to be found by this name

    sys.exit(by_name(sys.argv[1:]))
