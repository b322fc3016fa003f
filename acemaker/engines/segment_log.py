"""Files of a segment: checks, checkpoints and trajectory, from which an interrupted run continues."""

from __future__ import annotations

import json
import math
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

from acemaker.engines.checkpoints import CHECKPOINT, Checkpoint, find_entry, list_path
from acemaker.engines.halting import HaltMonitor
from acemaker.engines.protocol import Check
from acemaker.engines.records import SoftStart, Timeline
from acemaker.errors import DamagedFileError, EngineError
from acemaker.formatting.record import read_only
from acemaker.structures.frames import frame_text, read_frames
from acemaker.utils.atomic_write import write_whole
from acemaker.utils.checksum import checksum

CHECKSUM = "checksum"
"""Name of the last column of the checks."""


class SegmentLog:
    """Reads and writes the files of one segment.

    ``checks.csv`` contains one row per check; ``checkpoint.STEP`` are the engine's restart files, written atomically
    after the row of their step; ``trajectory.extxyz`` contains the frames. Each row and frame ends in a checksum; the
    checksums of the restart files are in ``checkpoints.csv``. From the first damaged part on, a segment is run again.

    Parameters
    ----------
    directory
        Directory of the segment, created if missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._csv = directory / "checks.csv"
        self._soft_start = directory / "soft_start.json"
        self.n_frames = 0
        self.checks, self._last_checksum = self._read()

    @property
    def trajectory(self) -> Path:
        """Path of the trajectory."""
        return self.directory / "trajectory.extxyz"

    def append(self, check: Check) -> None:
        """Add one check."""
        if self.checks and self.checks[-1].observables.keys() != check.observables.keys():
            raise EngineError(
                f"the checks in {self._csv} have the columns {', '.join(self.checks[-1].observables)}, the next one "
                f"has {', '.join(check.observables)}: the segment was begun with another engine or measure"
            )
        if not self.checks:
            header = _header(check)
            self._csv.write_text(header + "\n")
            self._last_checksum = checksum(header)
        row, row_checksum = _row(check, self._last_checksum)
        with self._csv.open("a") as stream:
            stream.write(row)
        self._last_checksum = row_checksum
        self.checks.append(check)

    def append_frame(self, atoms: Atoms) -> None:
        """Add one frame to the trajectory."""
        with self.trajectory.open("a") as stream:
            stream.write(frame_text(atoms, self.n_frames))
        self.n_frames += 1

    def write_checkpoint(self, step: int, write: Callable[[Path], None], name: str = CHECKPOINT) -> Path:
        """Let the engine write a restart file, and rename it once it is complete.

        Parameters
        ----------
        step
            Step of the state.
        write
            Writes the state to a path.
        name
            Beginning of the file name, which ends in the step.

        Returns
        -------
        Path
        """
        path = self.directory / f"{name}{step}"
        part = self.directory / "writing.restart"
        write(part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())  # the journal may refer to the file soon
        line = f"{path.name},{self.n_frames},{checksum(part.read_bytes())}"
        with list_path(path).open("a") as list_stream:
            list_stream.write(f"{line},{checksum(line)}\n")
        part.replace(path)
        return path

    def adopt_checkpoint(self, step: int, path: Path) -> None:
        """Take over a complete restart file that another process wrote."""

        def link_or_copy(part: Path) -> None:
            part.unlink(missing_ok=True)
            try:
                part.hardlink_to(path)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(path, part)

        self.write_checkpoint(step, link_or_copy)

    def check_at(self, step: int) -> Check | None:
        """Return the check of a step, or None."""
        index = bisect_left(self.checks, step, key=lambda check: check.step)
        return self.checks[index] if index < len(self.checks) and self.checks[index].step == step else None

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, sorted by step."""
        checkpoints = []
        for path in self.directory.glob(CHECKPOINT + "*"):
            if match := re.fullmatch(re.escape(CHECKPOINT) + r"(\d+)", path.name):
                checkpoints.append(Checkpoint(int(match[1]), path))
        return sorted(checkpoints, key=lambda checkpoint: checkpoint.step)

    def rewind(self, midway: bool = True, is_whole: Callable[[Path], bool] = Path.exists) -> Checkpoint | None:
        """Find the checkpoint from which an interrupted segment can continue, and truncate its files to that step.

        Parameters
        ----------
        midway
            Whether the engine's checkpoints restore its complete state; if not, the segment starts over.
        is_whole
            Returns whether a restart file is complete; incomplete files are skipped.

        Returns
        -------
        Checkpoint or None
            None to begin at the start of the segment.
        """
        last = self.checks[-1].step if self.checks else -1
        frames = read_trajectory(self.trajectory)
        newest = None
        for checkpoint in self.checkpoints():
            if midway and checkpoint.step <= last and is_whole(checkpoint.path):
                entry = find_entry(checkpoint.path)
                if entry is None or (entry.n_frames <= len(frames) and entry.is_intact):
                    newest = checkpoint
        step = newest.step if newest else -1
        self.checks = [check for check in self.checks if check.step <= step]
        if self.checks:
            self._rewrite_checks()
        else:
            self._csv.unlink(missing_ok=True)
            self._soft_start.unlink(missing_ok=True)
        for checkpoint in self.checkpoints():
            if checkpoint.step > step:
                checkpoint.path.unlink()
        self._truncate_trajectory([frame for frame in frames if frame.info["step"] <= step])
        return newest

    def replay(self, monitor: HaltMonitor, measure: str = "") -> None:
        """Apply the halting rule to all checks so far.

        Parameters
        ----------
        monitor
            The halting rule.
        measure
            Name of the observable with the uncertainty; empty if there is none.
        """
        for check in self.checks:
            monitor.update(check.step, check.gamma_max, check.observables.get(measure, math.nan))

    def safe_checkpoint(self, first_step: int, threshold: float) -> Checkpoint | None:
        """Return the last safe checkpoint of this segment.

        Parameters
        ----------
        first_step
            Step of the first check of an exceedance.
        threshold
            ``threshold_call_dft``.

        Returns
        -------
        Checkpoint or None
            The newest checkpoint before that step whose own gamma did not exceed the threshold.
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
            Step of the first check of the current exceedance; None if there is none.
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
        """Write the record of the soft start."""
        self._soft_start.write_text(json.dumps(asdict(soft_start)))

    def soft_start(self) -> SoftStart | None:
        """Return the record of the soft start, or None."""
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
        """Return checksums of checks and trajectory, which the journal stores once the segment has ended."""
        files = (self._csv, self.trajectory)
        return {file.name: checksum(file.read_bytes()) for file in files if file.exists()}

    def check(self, checksums: Mapping[str, str]) -> None:
        """Verify that checks and trajectory of a finished segment are unchanged.

        Raises
        ------
        DamagedFileError
            If a file is missing or has changed.
        """
        current = self.checksums()
        for name, expected in checksums.items():
            if current.get(name) != expected:
                raise DamagedFileError(self.directory / name, "it is missing, or does not agree with its checksum")

    def _read(self) -> tuple[list[Check], str]:
        """Return the checks up to the first damaged row, and the checksum of the last of them."""
        if not self._csv.exists():
            return [], ""
        header, *lines = self._csv.read_text(errors="replace").split("\n")
        names = header.split(",")[2:]
        if has_checksums := names[-1:] == [CHECKSUM]:
            names.pop()
        row_checksum, checks = checksum(header), list[Check]()
        for line in lines[:-1]:  # text after the last newline is an incomplete row
            row, _, written_checksum = line.rpartition(",") if has_checksums else (line, "", "")
            if has_checksums and checksum(row, row_checksum) != written_checksum:
                break
            row_checksum, values = written_checksum, row.split(",")
            if len(values) != len(names) + 2:
                break
            try:
                observables = dict(zip(names, map(float, values[2:]), strict=True))
                checks.append(Check(step=int(values[0]), gamma_max=float(values[1]), observables=observables))
            except ValueError:
                break
        return checks, row_checksum

    def _truncate_trajectory(self, frames: list[Atoms]) -> None:
        self.n_frames = len(frames)
        if not self.trajectory.exists():
            return
        write_whole(self.trajectory, (frame_text(frame, number) for number, frame in enumerate(frames)))

    def _rewrite_checks(self) -> None:
        """Write the whole file of checks."""
        header = _header(self.checks[0])
        rows, last = [header + "\n"], checksum(header)
        for check in self.checks:
            row, last = _row(check, last)
            rows.append(row)
        write_whole(self._csv, rows)
        self._last_checksum = last


def _header(check: Check) -> str:
    """Return the names of the columns, without the end of the line."""
    return ",".join(["step", "gamma_max", *check.observables, CHECKSUM])


def _row(check: Check, previous: str) -> tuple[str, str]:
    """Format the row of a check, whose checksum continues that of the previous row, so that a missing row is detected.

    Parameters
    ----------
    check
        The check.
    previous
        Checksum of the previous row, or of the header.

    Returns
    -------
    row, row_checksum : str
        The row with the end of the line, and the checksum that the next row continues.
    """
    numbers = [check.gamma_max, *check.observables.values()]
    row = ",".join([str(check.step), *(repr(float(np.float64(number))) for number in numbers)])
    row_checksum = checksum(row, previous)
    return f"{row},{row_checksum}\n", row_checksum


def read_trajectory(path: Path) -> list[Atoms]:
    """Read the frames of an extended XYZ file up to the first that is incomplete."""
    if not path.exists():
        return []
    frames = read_frames(path.read_bytes(), grows=True)[0]
    return [*takewhile(lambda atoms: isinstance(atoms.info.get("step"), int | np.integer), frames)]
