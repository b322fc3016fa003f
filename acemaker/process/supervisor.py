"""Runs a command so that nothing of it outlives its owner: python -m acemaker.process.supervisor COMMAND ...

The owner holds the other end of standard input. When that closes, because the owner wants it, ended or was
killed, the command and all that came of it are killed. When the command ends by itself, what it left behind is
killed, and its exit status becomes the warden's: 128 plus the number for a signal, as shells have it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(command: list[str]) -> int:
    """Run the command to its end or the owner's."""
    # orphans of the command become children of the warden, where they are found
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the owner decides
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_before,
        )
    except OSError as error:
        print(f"{command[0]}: {error}", file=sys.stderr)  # noqa: T201
        return 127
    while child.poll() is None:
        readable, _, _ = select.select([0], [], [], 0.02)
        if readable and not os.read(0, 1024):
            break
    kill_descendants()
    status = child.wait()
    return status if status >= 0 else 128 - status


def kill_descendants() -> None:
    """Kill all processes that came of this one, until there are none."""
    while alive := psutil.Process().children(recursive=True):
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _before() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    """Ask Linux for a service; elsewhere the command's own children may need a kill by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
