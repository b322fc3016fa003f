"""The watchdog: reads what a LAMMPS in another process writes, as it grows, and says when it must halt."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

from acemaker.engines.checkpoints import CHECKPOINT
from acemaker.engines.dump import SOFT_DUMP, DumpReader
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import Look, SegmentWatch
from acemaker.engines.soft_start import SoftWatch
from acemaker.lammps.restart import is_whole
from acemaker.lammps.script import LOG_FILE, SOFT_LOG
from acemaker.process.tail import Tail, ThermoReader


class SoftFollower:
    """Reads what a soft start writes.

    Parameters
    ----------
    directory
        Where the child works: ``soft.dump``, ``soft.log``.
    soft
        Takes what is read.
    periodic, n_atoms
        Whether positions count from the box's origin, and how many there are.
    """

    def __init__(self, directory: Path, soft: SoftWatch, periodic: bool, n_atoms: int) -> None:
        self._soft = soft
        self._dump, self._log = Tail(directory / SOFT_DUMP), Tail(directory / SOFT_LOG)
        self._looks, self._rows = DumpReader(periodic, n_atoms), ThermoReader()

    def read(self) -> tuple[int, bool]:
        """Read what is new; return the number of bytes, and whether the potential broke."""
        n_bytes = 0
        while piece := self._log.read():
            n_bytes += len(piece)
            for row in self._rows.feed(piece):
                self._soft.thermo(row)
        while piece := self._dump.read():
            n_bytes += len(piece)
            if any(self._soft.look(look) for look in self._looks.feed(piece)):
                return n_bytes, True
        return n_bytes, False

    def blew_up(self) -> bool:
        """Make a break of the last look if gamma had warned."""
        return self._soft.blew_up()

    def finish(self) -> None:
        """Keep the result, now that production has begun."""
        self._soft.finish()


class Watchdog:
    """Follows a run in its directory: dumps, log and restart files.

    Parameters
    ----------
    directory
        Where the child works: ``checks.STEP.dump``, ``log.lammps``, ``checkpoint.STEP``.
    watch
        Takes the looks, and knows the rule.
    log
        The segment's files, which adopt the restart files.
    check_every
        MD steps between two checks.
    periodic
        Whether positions count from the box's origin.
    soft
        Reads the soft start that comes first; None where there is none.
    """

    def __init__(
        self,
        directory: Path,
        watch: SegmentWatch,
        log: SegmentLog,
        check_every: int,
        periodic: bool,
        soft: SoftFollower | None = None,
    ) -> None:
        self._soft = soft
        self._directory = directory
        self._watch = watch
        self._log = log
        self._check_every = check_every
        self._periodic, self._n_atoms = periodic, len(watch.request.structure)
        self._dump: Tail | None = None
        self._dump_reader = DumpReader(periodic, self._n_atoms)
        self._thermo_tail = Tail(directory / LOG_FILE)
        self._thermo_reader = ThermoReader()
        self._thermo: dict[int, dict[str, float]] = {}
        self._looks: deque[Look] = deque()
        self._adopted = -1

    def read(self) -> int:
        """Read what is new, and judge it.

        Returns
        -------
        int
            Bytes; 0 where nothing was new.
        """
        if self._watch.verdict is not None and self._watch.pending is None:
            return 0  # what the child wrote before it was killed counts no more
        n_bytes = 0
        if self._soft is not None:
            begun = any(self._directory.glob("checks.*.dump"))  # before reading: then all of the soft start is there
            n_bytes, broke = self._soft.read()
            if broke or not begun:
                return n_bytes
            self._soft.finish()
            self._soft = None
        n_bytes += self._read_thermo()
        piece = self._next_piece()  # one at a time: the caller listens to Ctrl-C in between
        self._looks += self._dump_reader.feed(piece)
        n_bytes += len(piece) + self._read_thermo()
        self._advance(ended=False)
        return n_bytes

    def finish(self) -> None:
        """Judge what is left, now that nothing more will come."""
        while self.read() and self._watch.verdict is None:
            pass
        self._advance(ended=True)
        if self._watch.verdict is None and self._log.checks:
            self._adopt(self._log.checks[-1].step + 1)

    def blew_up(self) -> bool:
        """Make a break of the last look if gamma had warned of the death that came after it."""
        return self._watch.blew_up() if self._soft is None else self._soft.blew_up()

    def _read_thermo(self) -> int:
        n_bytes = 0
        while piece := self._thermo_tail.read():
            n_bytes += len(piece)
            for thermo in self._thermo_reader.feed(piece):
                self._thermo.setdefault(int(thermo["Step"]), thermo)  # the set-up of a stretch repeats its step
        return n_bytes

    def _next_piece(self) -> bytes:
        """Read on in the current dump; at its end, go to the next one if that exists already."""
        files = _numbered(self._directory, "checks.*.dump", r"checks\.(\d+)\.dump")
        if self._dump is None:
            if not files:
                return b""
            self._dump = Tail(files[0][1])
        if piece := self._dump.read():
            return piece
        later = [path for _, path in files if path != self._dump.path]
        if not later:
            return b""
        if piece := self._dump.read():  # written before the next one was begun
            return piece
        self._dump.path.unlink()
        self._dump, self._dump_reader = Tail(later[0]), DumpReader(self._periodic, self._n_atoms)
        return self._dump.read()

    def _advance(self, ended: bool) -> None:
        while True:
            if self._watch.pending is not None and not self._complete(self._watch.pending, ended):
                return
            if self._watch.verdict is not None or not self._looks:
                return
            self._watch.look(self._looks.popleft())

    def _complete(self, step: int, ended: bool) -> bool:
        """Give a look its observables once they are known, and adopt the checkpoints up to it."""
        thermo = self._thermo.pop(step, None)
        if thermo is None:
            if step % self._check_every == 0 and not ended:
                return False
            thermo = {}
        for old in [known for known in self._thermo if known < step]:
            del self._thermo[old]
        self._adopt(step)  # of earlier steps, while this one counts as unknown to the rule's record
        self._watch.complete(thermo)
        if self._watch.verdict is None:
            self._adopt(step + 1)
        return True

    def _adopt(self, before: int) -> None:
        """Take over whole restart files of steps before a given one that has a check."""
        for step, path in _numbered(self._directory, CHECKPOINT + "*", re.escape(CHECKPOINT) + r"(\d+)"):
            if step < self._adopted:
                path.unlink()  # not the last one: the child may be about to read it
            elif self._adopted < step < before and self._log.check_at(step) is not None and is_whole(path):
                self._log.adopt_checkpoint(step, path)
                self._adopted = step
                self._watch.prune()


def _numbered(directory: Path, pattern: str, name: str) -> list[tuple[int, Path]]:
    """List files by the number in their names."""
    matches = ((re.fullmatch(name, path.name), path) for path in directory.glob(pattern))
    return sorted((int(match[1]), path) for match, path in matches if match)
