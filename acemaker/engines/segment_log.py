"""A segment's files: its checks, checkpoints and trajectory, from which a killed run goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines.checkpoints import CHECKPOINT, Checkpoint, list_of, noted_of
from acemaker.engines.halting import HaltMonitor
from acemaker.engines.protocol import Check
from acemaker.engines.records import SoftStart, Timeline
from acemaker.errors import DamagedFileError
from acemaker.formatting.record import read_only
from acemaker.structures.frames import frame_text, read_frames
from acemaker.utils.atomic_write import write_whole
from acemaker.utils.checksum import checksum

CHECKSUM = "checksum"
"""The last column of the checks."""


class SegmentLog:
    """Reads and writes the files of one segment.

    ``checks.csv`` has one row a check; ``checkpoint.STEP`` are the engine's restart files, written at once
    or not at all, after the row of their step; ``trajectory.extxyz`` has the frames. Rows and frames end in checksums,
    those of the restart files are in ``checkpoints.csv``: from what is damaged on, a segment is run again.

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
        self.n_frames = 0
        self.checks = self._read()

    @property
    def trajectory(self) -> Path:
        """The file of the frames."""
        return self.directory / "trajectory.extxyz"

    def append(self, check: Check) -> None:
        """Write one check."""
        if not self.checks:
            self._csv.write_text(self._header(check))
        with self._csv.open("a") as stream:
            stream.write(self._row(check))
        self.checks.append(check)

    def append_frame(self, atoms: Atoms) -> None:
        """Add one frame to the trajectory."""
        with self.trajectory.open("a") as stream:
            stream.write(frame_text(atoms, str(self.n_frames)))
        self.n_frames += 1

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
        with part.open("rb") as written:
            os.fsync(written.fileno())  # the journal may name it soon
        line = f"{path.name},{self.n_frames},{checksum(part.read_bytes())}"
        with list_of(path).open("a") as stream:
            stream.write(f"{line},{checksum(line)}\n")
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
        frames = read_trajectory(self.trajectory)
        newest = None
        for checkpoint in self.checkpoints():
            if midway and checkpoint.step <= last and is_whole(checkpoint.path):
                noted = noted_of(checkpoint.path)
                if noted is None or (noted.frames <= len(frames) and noted.agrees):
                    newest = checkpoint
        step = newest.step if newest else -1
        self.checks = [check for check in self.checks if check.step <= step]
        if self.checks:
            write_whole(self._csv, self._header(self.checks[0]) + "".join(map(self._row, self.checks)))
        else:
            self._csv.unlink(missing_ok=True)
            self._soft_start.unlink(missing_ok=True)
        for checkpoint in self.checkpoints():
            if checkpoint.step > step:
                checkpoint.path.unlink()
        self._cut_trajectory([frame for frame in frames if frame.info["step"] <= step])
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
        if not self._soft_start.exists():
            return None
        try:
            return SoftStart(**json.loads(self._soft_start.read_bytes()))
        except (OSError, RecursionError, TypeError, ValueError) as error:
            raise DamagedFileError(self._soft_start, f"it cannot be read ({error})") from error

    def timeline(self) -> Timeline:
        """Return all checks as arrays."""
        names = list(self.checks[0].observables) if self.checks else []
        return Timeline(
            step=read_only([check.step for check in self.checks], int),
            gamma_max=read_only([check.gamma_max for check in self.checks], float),
            observables={name: read_only([check.observables[name] for check in self.checks], float) for name in names},
        )

    def checksums(self) -> dict[str, str]:
        """Sum up checks and trajectory, for the journal to keep once the segment has ended."""
        files = (self._csv, self.trajectory)
        return {file.name: checksum(file.read_bytes()) for file in files if file.exists()}

    def check(self, checksums: Mapping[str, str]) -> None:
        """Make sure that checks and trajectory of a segment that has ended are what they were.

        Raises
        ------
        DamagedFileError
            If one is not.
        """
        found = self.checksums()
        for name, expected in checksums.items():
            if found.get(name) != expected:
                raise DamagedFileError(self.directory / name, "it is missing, or does not agree with its checksum")

    def _read(self) -> list[Check]:
        if not self._csv.exists():
            return []
        header, *lines = self._csv.read_text(errors="replace").split("\n")
        names = header.split(",")[2:]
        if summed := names[-1:] == [CHECKSUM]:
            names.pop()
        before, checks = checksum(header), list[Check]()
        for line in lines[:-1]:  # what follows the last newline is a torn row
            row, _, found = line.rpartition(",") if summed else (line, "", "")
            if summed and checksum(row, before) != found:
                break
            before, values = found, row.split(",")
            if len(values) != len(names) + 2:
                break
            try:
                observables = dict(zip(names, map(float, values[2:]), strict=True))
                checks.append(Check(step=int(values[0]), gamma_max=float(values[1]), observables=observables))
            except ValueError:
                break
        self._sum = before
        return checks

    def _cut_trajectory(self, kept: list[Atoms]) -> None:
        self.n_frames = len(kept)
        if not self.trajectory.exists():
            return
        write_whole(self.trajectory, (frame_text(frame, str(number)) for number, frame in enumerate(kept)))

    def _header(self, check: Check) -> str:
        header = ",".join(["step", "gamma_max", *check.observables, CHECKSUM])
        self._sum = checksum(header)
        return header + "\n"

    def _row(self, check: Check) -> str:
        """Write a row; its checksum goes on from that of the row before, so that no row can be lost unseen."""
        numbers = [check.gamma_max, *check.observables.values()]
        row = ",".join([str(check.step), *(repr(float(np.float64(number))) for number in numbers)])
        self._sum = checksum(row, self._sum)
        return f"{row},{self._sum}\n"


def read_trajectory(path: Path) -> list[Atoms]:
    """Read the whole frames of an extended XYZ file, and leave out what follows the first that is not."""
    if not path.exists():
        return []
    frames = read_frames(path.read_bytes(), lambda number, _: str(number))[0]
    return [*takewhile(lambda atoms: isinstance(atoms.info.get("step"), int | np.integer), frames)]
