"""Launches a command on a worker of a Dask scheduler: python -m acemaker.engines.dask_launcher ADDRESS COMMAND ...

It is a launcher of the isolated engine: the command runs in the same folder with the same environment until it ends or
the standard input of the launcher closes, and its exit status becomes that of the launcher. A command is started only
once: if its worker is lost, it is not started again, because its output is already being read.
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
"""Interval of polling, s."""

MOST = 100_000
"""Maximum number of bytes at the end of the command's output that are passed on."""

BEGUN = "begun"
"""Name of the file that the worker creates in the folder when it starts the command."""


class LostWorkerError(Exception):
    """The worker that ran the command has ended."""


def main(arguments: Sequence[str]) -> int:
    """Run the command until it ends or standard input closes."""
    address, *command = arguments
    try:
        import distributed
    except ImportError as error:
        return _fail(f"launching on Dask workers needs distributed ({error}); pip install 'acemaker[dask]'")
    logging.disable()  # tracebacks of Dask would hide the messages below
    try:
        client = distributed.Client(address, set_as_default=False)  # with Dask's default timeouts
    except (OSError, ValueError) as error:
        return _fail(f"no Dask scheduler answers at {address!r} ({error}); start one, or pass its address")
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
            return _fail(f"the command was lost on Dask's workers: {error}")
    sys.stdout.buffer.write(output)
    return int(status) if status >= 0 else 128 - int(status)


def run(command: Sequence[str], directory: str, environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a command on a worker until it ends or its task is canceled.

    Parameters
    ----------
    command
        Program and arguments; the program must end when its standard input closes.
    directory
        Working directory.
    environment
        All environment variables.

    Returns
    -------
    status : int
        Exit status of the command.
    output : bytes
        End of its output.

    Raises
    ------
    LostWorkerError
        If the command was started on another worker before.
    """
    try:
        Path(directory, BEGUN).touch(exist_ok=False)
    except FileExistsError:
        raise LostWorkerError("the worker that ran it has ended") from None
    is_active = _activity_check()
    with tempfile.TemporaryFile() as stream:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.STDOUT
        )
        assert process.stdin is not None
        while process.poll() is None and is_active():
            time.sleep(PAUSE)
        with contextlib.suppress(OSError):
            process.stdin.close()
        status = process.wait()
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - MOST))
        return status, stream.read()


def _activity_check() -> Any:
    """Return a function that checks that this task is not canceled, its client connected and its worker not closing."""
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    key = worker.get_current_task()

    def is_active() -> bool:
        task = worker.state.tasks.get(key)
        closing = worker.status in (Status.closing, Status.closed, Status.failed)  # e.g. after the scheduler ended
        return task is not None and task.state == "executing" and not closing

    return is_active


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the owner saves this output
    return 1


if __name__ == "__main__":
    from acemaker.engines.dask_launcher import main as by_name  # workers must be able to import `run` by this name

    sys.exit(by_name(sys.argv[1:]))
