"""Runs a command so that none of its processes outlives its owner: python -m acemaker.process.supervisor COMMAND ...

The owner holds the other end of standard input. When that closes, because the owner closed it, ended or was killed, the
command and all its descendants are killed. When the command ends by itself, its remaining descendants are killed, and
its exit status becomes that of the supervisor: 128 plus the number of a signal, as in shells.
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
    """Run the command until it ends or standard input closes."""
    # orphans of the command become children of the supervisor, which can then find them
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the owner ends the command
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_prepare_child,
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
    """Kill all descendants of this process until there are none."""
    while alive := psutil.Process().children(recursive=True):
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _prepare_child() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    """Call ``prctl`` on Linux; on other systems, children of the command may have to be killed manually."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
