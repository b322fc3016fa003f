"""A segment's files: its checks, checkpoints and trajectory, from which a killed run goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines.halting import HaltMonitor
from acemaker.engines.protocol import Check
from acemaker.results.exploration import SoftStart, Timeline
from acemaker.results.record import read_only

CHECKPOINT, HALT = "checkpoint.", "halt."


@dataclass(frozen=True)
class Checkpoint:
    """A restart file and its step."""

    step: int
    path: Path


class SegmentLog:
    """Reads and writes the files of one segment.

    ``checks.csv`` has one row a check; ``checkpoint.STEP`` are the engine's restart files, written at once
    or not at all, after the row of their step; ``trajectory.extxyz`` has the frames.

    Parameters
    ----------
    directory
        The segment's own; made if missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._csv = directory / "checks.csv"
        self._soft_start = directory / "soft_start.json"
        self.checks = self._read()

    @property
    def trajectory(self) -> Path:
        """The file of the frames."""
        return self.directory / "trajectory.extxyz"

    def append(self, check: Check) -> None:
        """Write one check."""
        if not self.checks:
            self._csv.write_text(",".join(["step", "gamma_max", *check.observables]) + "\n")
        with self._csv.open("a") as stream:
            stream.write(_row(check))
        self.checks.append(check)

    def append_frame(self, atoms: Atoms) -> None:
        """Add one frame to the trajectory."""
        from ase.io import write

        write(self.trajectory, atoms, format="extxyz", append=True)

    def write_checkpoint(self, step: int, write: Callable[[Path], None], name: str = CHECKPOINT) -> Path:
        """Let the engine write a restart file, and give it its name once it is whole.

        Parameters
        ----------
        step
            The step of the state.
        write
            Writes the state to a path.
        name
            What the file's name starts with.

        Returns
        -------
        Path
        """
        path = self.directory / f"{name}{step}"
        part = self.directory / "writing.restart"
        write(part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())  # the journal may name it soon
        part.replace(path)
        return path

    def adopt_checkpoint(self, step: int, path: Path) -> None:
        """Take over a whole restart file that another process wrote."""

        def take(part: Path) -> None:
            part.unlink(missing_ok=True)
            try:
                part.hardlink_to(path)
            except OSError:  # another file system, or one without links
                shutil.copyfile(path, part)

        self.write_checkpoint(step, take)

    def check_at(self, step: int) -> Check | None:
        """Return the check of a step, or None."""
        place = bisect_left(self.checks, step, key=lambda check: check.step)
        return self.checks[place] if place < len(self.checks) and self.checks[place].step == step else None

    def checkpoints(self) -> list[Checkpoint]:
        """List the restart files by step."""
        found = []
        for path in self.directory.glob(CHECKPOINT + "*"):
            if match := re.fullmatch(re.escape(CHECKPOINT) + r"(\d+)", path.name):
                found.append(Checkpoint(int(match[1]), path))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def rewind(self, midway: bool = True, is_whole: Callable[[Path], bool] = Path.exists) -> Checkpoint | None:
        """Find where a broken-off segment can go on, and cut its files back to there.

        Parameters
        ----------
        midway
            Whether the engine's checkpoints restore all of its state; if not, the segment starts over.
        is_whole
            Tells whether a restart file has been written to its end; one that has not is passed over.

        Returns
        -------
        Checkpoint or None
            None to start from the segment's start.
        """
        last = self.checks[-1].step if self.checks else -1
        newest = None
        for checkpoint in self.checkpoints():
            if midway and checkpoint.step <= last and is_whole(checkpoint.path):
                newest = checkpoint
        step = newest.step if newest else -1
        self.checks = [check for check in self.checks if check.step <= step]
        part = self._csv.with_name("checks.part")
        if self.checks:
            header = ",".join(["step", "gamma_max", *self.checks[0].observables]) + "\n"
            part.write_text(header + "".join(_row(check) for check in self.checks))
            part.replace(self._csv)
        else:
            self._csv.unlink(missing_ok=True)
            self._soft_start.unlink(missing_ok=True)
        for checkpoint in self.checkpoints():
            if checkpoint.step > step:
                checkpoint.path.unlink()
        self._cut_trajectory(step)
        return newest

    def replay(self, monitor: HaltMonitor) -> None:
        """Show all checks so far to the halting rule."""
        for check in self.checks:
            monitor.update(check.step, check.gamma_max)

    def safe_checkpoint(self, first_step: int, threshold: float) -> Checkpoint | None:
        """Return the last safe state of this segment.

        Parameters
        ----------
        first_step
            The first check of an exceedance.
        threshold
            ``threshold_call_dft``.

        Returns
        -------
        Checkpoint or None
            The newest one before that check whose own check was not above the threshold either.
        """
        for checkpoint in reversed(self.checkpoints()):
            check = self.check_at(checkpoint.step)
            if checkpoint.step < first_step and check is not None and check.gamma_max <= threshold:
                return checkpoint
        return None

    def prune(self, first_step: int | None, threshold: float) -> None:
        """Delete checkpoints that are older than the last safe one.

        Parameters
        ----------
        first_step
            First check of an exceedance that is going on; None while there is none.
        threshold
            ``threshold_call_dft``.
        """
        last = self.checks[-1].step if self.checks else 0
        safe = self.safe_checkpoint(last if first_step is None else first_step, threshold)
        if safe is not None:
            for checkpoint in self.checkpoints():
                if checkpoint.step < safe.step:
                    checkpoint.path.unlink()

    def write_soft_start(self, soft_start: SoftStart) -> None:
        """Keep how the segment came over to its potential."""
        self._soft_start.write_text(json.dumps(asdict(soft_start)))

    def soft_start(self) -> SoftStart | None:
        """Return how the segment came over to its potential, or None."""
        return SoftStart(**json.loads(self._soft_start.read_text())) if self._soft_start.exists() else None

    def timeline(self) -> Timeline:
        """Return all checks as arrays."""
        names = list(self.checks[0].observables) if self.checks else []
        return Timeline(
            step=read_only([check.step for check in self.checks], int),
            gamma_max=read_only([check.gamma_max for check in self.checks], float),
            observables={name: read_only([check.observables[name] for check in self.checks], float) for name in names},
        )

    def _read(self) -> list[Check]:
        if not self._csv.exists():
            return []
        lines = self._csv.read_text().split("\n")
        names = lines[0].split(",")[2:]
        checks = []
        for line in lines[1:-1]:  # what follows the last newline is a torn row
            values = line.split(",")
            if len(values) != len(names) + 2:
                break
            observables = dict(zip(names, map(float, values[2:]), strict=True))
            checks.append(Check(step=int(values[0]), gamma_max=float(values[1]), observables=observables))
        return checks

    def _cut_trajectory(self, step: int) -> None:
        if not self.trajectory.exists():
            return
        from ase.io import write

        kept = [frame for frame in read_trajectory(self.trajectory) if frame.info["step"] <= step]
        part = self.directory / "trajectory.part"
        part.write_text("")
        if kept:
            write(part, kept, format="extxyz")
        part.replace(self.trajectory)


def read_trajectory(path: Path) -> list[Atoms]:
    """Read the whole frames of an extended XYZ file, and leave out a torn last one."""
    from ase.io.extxyz import read_xyz

    frames: list[Atoms] = []
    if not path.exists():
        return frames
    lines = path.read_text().splitlines(keepends=True)
    start = 0
    while start < len(lines) and lines[start].strip().isdigit():
        end = start + int(lines[start]) + 2
        if end > len(lines) or not lines[end - 1].endswith("\n"):
            break
        import io

        frames += list(read_xyz(io.StringIO("".join(lines[start:end])), index=slice(None)))
        start = end
    return frames


def _row(check: Check) -> str:
    numbers = [check.gamma_max, *check.observables.values()]
    return ",".join([str(check.step), *(repr(float(np.float64(number))) for number in numbers)]) + "\n"
