"""Faults that occur while a campaign runs; each is set up in the process that runs it."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil

from acemaker import Callback, Campaign
from acemaker.loop.journal import Journal

ENOSPC = 28


@dataclass(frozen=True)
class Moment:
    """Time of a fault.

    Attributes
    ----------
    at : int
        Number of the journal line, write or check at which it occurs.
    how : float
        Between 0 and 1, for further random choices.
    directory : str
        The campaign's.
    """

    at: int
    how: float
    directory: str


@dataclass(frozen=True)
class Live:
    """A fault of a running campaign.

    Attributes
    ----------
    name : str
        Name in the table.
    set_up : callable
        Prepares it in the campaign's process, by the `Moment`.
    unit : str
        What `Moment.at` counts: ``line``, ``write`` or ``check``.
    may_repay : bool
        Whether a label may be lost between its oracle and the disk, and paid for once more.
    """

    name: str
    set_up: Callable[[Moment], None]
    unit: str
    may_repay: bool = False
    worlds: tuple[str, ...] = field(default=())


def at_line(moment: Moment, act: Callable[[Journal, Callable[[], Any], str, dict[str, Any]], Any]) -> None:
    """Replace the writing of one line of the journal by something else."""
    write, begun = Journal.append, [0]

    def append(self: Journal, event: str, **data: Any) -> Any:
        begun[0] += 1
        if begun[0] != moment.at:
            return write(self, event, **data)
        return act(self, lambda: write(self, event, **data), event, data)

    Journal.append = append  # type: ignore[method-assign]


def _die(_: Any = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def kill_at_line(moment: Moment) -> None:
    """Send SIGKILL before, within or after a line of the journal."""

    def act(journal: Journal, write: Callable[[], Any], event: str, data: dict[str, Any]) -> Any:
        if moment.how > 0.33:
            before = journal.path.stat().st_size if journal.path.exists() else 0
            write()
            if moment.how < 0.66:
                whole = journal.path.stat().st_size
                os.truncate(journal.path, before + int((whole - before) * 3 * (moment.how - 0.33)))
        return _die()

    at_line(moment, act)


def signal_at_line(number: signal.Signals) -> Callable[[Moment], None]:
    """Create a fault that sends a signal after a line of the journal."""

    def set_up(moment: Moment) -> None:
        def act(journal: Journal, write: Callable[[], Any], event: str, data: dict[str, Any]) -> Any:
            written = write()
            os.kill(os.getpid(), number)
            return written

        at_line(moment, act)

    return set_up


def at_write(moment: Moment, act: Callable[[], None], *, on: bool = False) -> None:
    """Do something before a file in the campaign's directory is opened, renamed or deleted, by a Python audit hook."""
    seen, busy = [0], [False]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if busy[0] or event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate"):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        busy[0] = True
        try:
            if moment.directory in str(arguments[0]) and not str(arguments[0]).endswith("/lock"):
                seen[0] += 1
                if seen[0] == moment.at or (on and seen[0] > moment.at):
                    act()
        finally:
            busy[0] = False

    sys.addaudithook(hook)


def kill_at_write(moment: Moment) -> None:
    """Send SIGKILL before a file is opened for writing, renamed or deleted."""
    at_write(moment, _die)


def full_disk(moment: Moment) -> None:
    """From one write on, no file can be opened for writing."""

    def refuse() -> None:
        raise OSError(ENOSPC, "No space left on device")

    at_write(moment, refuse, on=True)


def quota(moment: Moment) -> None:
    """Limit the size of files, as on a disk that becomes full during a write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(200 * 250**moment.how), hard))


def jumping_clock(moment: Moment) -> None:
    """Let the clock jump by years, forwards and backwards."""
    now, jumps = time.time, random.Random(moment.how)
    time.time = lambda: now() + jumps.choice((-3e8, -4000.0, 0.0, 4000.0, 3e8))


def kill_a_child(moment: Moment) -> None:
    """Send SIGKILL to a process that the campaign has started, at a check of gamma."""
    made, seen = Campaign.__init__, [0]

    def check(_: Any) -> None:
        seen[0] += 1
        children = psutil.Process().children(recursive=True)
        if seen[0] == moment.at and children:
            children[int(moment.how * len(children))].kill()

    def init(self: Campaign, *arguments: Any, **more: Any) -> None:
        made(self, *arguments, **more)
        self.callbacks[:] = [Callback(on_check=check)]

    Campaign.__init__ = init  # type: ignore[assignment, method-assign]


LIVE = (
    Live("killed at a journal line", kill_at_line, "line"),
    Live("killed at a write", kill_at_write, "write", may_repay=True),
    Live("terminated at a journal line", signal_at_line(signal.SIGTERM), "line", may_repay=True),
    Live("Ctrl-C at a journal line", signal_at_line(signal.SIGINT), "line", may_repay=True),
    Live("disk full from a write on", full_disk, "write", may_repay=True),
    Live("disk full for larger files", quota, "write", may_repay=True),
    Live("clock jumps", jumping_clock, "line"),
    Live("child killed", kill_a_child, "check", worlds=("LAMMPS in a child",)),
)
