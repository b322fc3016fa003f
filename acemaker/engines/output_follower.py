"""Follows the output of a LAMMPS in another process, and applies the halting rule to it."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

from acemaker.engines.checkpoints import CHECKPOINT
from acemaker.engines.dump import SOFT_DUMP, DumpReader
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import Frame, SegmentMonitor
from acemaker.engines.soft_start import SoftStartMonitor
from acemaker.lammps.restart import is_whole
from acemaker.lammps.script import LOG_FILE, SOFT_LOG
from acemaker.process.tail import Tail, ThermoReader


class SoftFollower:
    """Follows the output of a soft start.

    Parameters
    ----------
    directory
        Directory in which the child works, with ``soft.dump`` and ``soft.log``.
    soft
        Monitor to which frames and thermodynamic output are passed.
    periodic
        Whether positions are relative to the origin of the box.
    n_atoms
        Number of atoms.
    """

    def __init__(self, directory: Path, soft: SoftStartMonitor, periodic: bool, n_atoms: int) -> None:
        self._soft = soft
        self._dump, self._log = Tail(directory / SOFT_DUMP), Tail(directory / SOFT_LOG)
        self._dump_reader, self._thermo_reader = DumpReader(periodic, n_atoms), ThermoReader()

    def read(self) -> tuple[int, bool]:
        """Read new output; return the number of bytes, and whether gamma exceeded the break threshold."""
        n_bytes = 0
        while piece := self._log.read():
            n_bytes += len(piece)
            for row in self._thermo_reader.feed(piece):
                self._soft.thermo(row)
        while piece := self._dump.read():
            n_bytes += len(piece)
            if any(self._soft.add_frame(frame) for frame in self._dump_reader.feed(piece)):
                return n_bytes, True
        return n_bytes, False

    def blew_up(self) -> bool:
        """Record a break at the last frame if its gamma was high; return whether it was."""
        return self._soft.blew_up()

    def finish(self) -> None:
        """Save the record of the soft start; called once production has begun."""
        self._soft.finish()


class OutputFollower:
    """Follows the dumps, the log and the restart files of a run.

    Parameters
    ----------
    directory
        Directory in which the child works, with ``checks.STEP.dump``, ``log.lammps`` and ``checkpoint.STEP``.
    monitor
        Monitor to which the frames are passed, which applies the halting rule.
    log
        Files of the segment, which take over the restart files.
    check_every
        MD steps between two checks.
    periodic
        Whether positions are relative to the origin of the box.
    soft
        Follows the soft start that precedes production; None if there is none.
    """

    def __init__(
        self,
        directory: Path,
        monitor: SegmentMonitor,
        log: SegmentLog,
        check_every: int,
        periodic: bool,
        soft: SoftFollower | None = None,
    ) -> None:
        self._soft = soft
        self._directory = directory
        self._monitor = monitor
        self._log = log
        self._check_every = check_every
        self._periodic, self._n_atoms = periodic, len(monitor.request.structure)
        self._dump: Tail | None = None
        self._dump_reader = DumpReader(periodic, self._n_atoms)
        self._thermo_tail = Tail(directory / LOG_FILE)
        self._thermo_reader = ThermoReader()
        self._thermo: dict[int, dict[str, float]] = {}
        self._frames: deque[Frame] = deque()
        self._adopted = -1

    def read(self) -> int:
        """Read new output, and apply the halting rule to it.

        Returns
        -------
        int
            Number of bytes read; 0 if there was no new output.
        """
        if self._monitor.decision is not None and self._monitor.pending is None:
            return 0  # output after the halt, until the child is killed, does not count
        n_bytes = 0
        if self._soft is not None:
            # tested before reading: once production has begun, the output of the soft start is complete
            in_production = any(self._directory.glob("checks.*.dump"))
            n_bytes, broke = self._soft.read()
            if broke or not in_production:
                return n_bytes
            self._soft.finish()
            self._soft = None
        n_bytes += self._read_thermo()
        piece = self._next_piece()  # one piece per call: the caller checks for Ctrl-C between calls
        self._frames += self._dump_reader.feed(piece)
        n_bytes += len(piece) + self._read_thermo()
        self._advance(ended=False)
        return n_bytes

    def finish(self) -> None:
        """Process the remaining output after the end of the child."""
        while self.read() and self._monitor.decision is None:
            pass
        self._advance(ended=True)
        if self._monitor.decision is None and self._log.checks:
            self._adopt(self._log.checks[-1].step + 1)

    def blew_up(self, error: str = "") -> bool:
        """Record a break at the last frame if its gamma was high before LAMMPS died; return whether it was.

        Parameters
        ----------
        error
            Error with which LAMMPS stopped.
        """
        return self._monitor.blew_up(error) if self._soft is None else self._soft.blew_up()

    def _read_thermo(self) -> int:
        n_bytes = 0
        while piece := self._thermo_tail.read():
            n_bytes += len(piece)
            for thermo in self._thermo_reader.feed(piece):
                self._thermo.setdefault(int(thermo["Step"]), thermo)  # the setup of a stretch repeats its step
        return n_bytes

    def _next_piece(self) -> bytes:
        """Read the next piece of the current dump, or of the next dump if the current one is complete."""
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
        if piece := self._dump.read():  # written before the next dump was begun
            return piece
        self._dump.path.unlink()
        self._dump, self._dump_reader = Tail(later[0]), DumpReader(self._periodic, self._n_atoms)
        return self._dump.read()

    def _advance(self, ended: bool) -> None:
        while True:
            if self._monitor.pending is not None and not self._complete(self._monitor.pending, ended):
                return
            if self._monitor.decision is not None or not self._frames:
                return
            self._monitor.add_frame(self._frames.popleft())

    def _complete(self, step: int, ended: bool) -> bool:
        """Record a frame as a check once its observables are known, and adopt the checkpoints up to it."""
        thermo = self._thermo.pop(step, None)
        if thermo is None:
            if step % self._check_every == 0 and not ended:
                return False
            thermo = {}
        for earlier_step in [key for key in self._thermo if key < step]:
            del self._thermo[earlier_step]
        self._adopt(step)  # earlier steps only, before the check of this step is in the log
        self._monitor.complete(thermo)
        if self._monitor.decision is None:
            self._adopt(step + 1)
        return True

    def _adopt(self, before: int) -> None:
        """Take over complete restart files of steps below `before` that have a check."""
        for step, path in _numbered(self._directory, CHECKPOINT + "*", re.escape(CHECKPOINT) + r"(\d+)"):
            if step < self._adopted:
                path.unlink()  # but not the last file, which the child may be about to read
            elif self._adopted < step < before and self._log.check_at(step) is not None and is_whole(path):
                self._log.adopt_checkpoint(step, path)
                self._adopted = step
                self._monitor.prune()


def _numbered(directory: Path, pattern: str, name: str) -> list[tuple[int, Path]]:
    """List files by the number in their names."""
    matches = ((re.fullmatch(name, path.name), path) for path in directory.glob(pattern))
    return sorted((int(match[1]), path) for match, path in matches if match)
