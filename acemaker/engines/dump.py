"""Text dumps of LAMMPS with gamma: a writer for the Python child, and an incremental reader."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from acemaker.engines.segment_monitor import Frame
from acemaker.errors import EngineError

COLUMNS = "id x y z vx vy vz ix iy iz f_gamma"
"""Columns of a dump of checks; atoms are sorted by their ids."""

UNGRADED = COLUMNS.removesuffix(" f_gamma")
"""Columns of a dump without gamma, which is then computed from the coordinates."""


SOFT_DUMP = "soft.dump"
"""The dump of a soft start."""


def dump_name(step: int | str) -> str:
    """Return the file name of the dump of the stretch that starts at a step."""
    return f"checks.{step}.dump"


class DumpWriter:
    """Writes frames in LAMMPS's dump format for general cells, with all digits.

    Parameters
    ----------
    directory
        Directory of the dumps, one per stretch.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stream: IO[str] | None = None
        self._last = -1

    def start(self, name: str) -> None:
        """Begin a new file, named by `dump_name` or `SOFT_DUMP`."""
        self.close()
        self._stream = (self._directory / name).open("w")

    def write(self, frame: Frame) -> bool:
        """Write a frame, unless its step has been written; return False, so that the run continues."""
        if frame.step <= self._last:
            return False
        assert self._stream is not None
        self._last = frame.step
        columns = np.column_stack([frame.positions, frame.velocities, frame.gamma]).tolist()
        rows = [
            f"{n} {' '.join(map(repr, state))} {a} {b} {c} {gamma!r}"
            for n, ((*state, gamma), (a, b, c)) in enumerate(zip(columns, frame.images.tolist(), strict=True), start=1)
        ]
        header = ["ITEM: TIMESTEP", str(frame.step), "ITEM: NUMBER OF ATOMS", str(len(rows))]
        header += ["ITEM: BOX BOUNDS abc origin pp pp pp"]
        header += [" ".join(map(repr, [*edge, 0.0])) for edge in frame.cell.tolist()]
        self._stream.write("\n".join([*header, f"ITEM: ATOMS {COLUMNS}", *rows]) + "\n")
        self._stream.flush()
        return False

    def close(self) -> None:
        """Close the current file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class DumpReader:
    """Reads a growing dump.

    Parameters
    ----------
    periodic
        Whether to return positions relative to the origin of the box.
    n_atoms
        Number of atoms. A snapshot with fewer atoms, which LAMMPS writes before it notices that it has lost some, is
        skipped.
    """

    HEADER = 9

    def __init__(self, periodic: bool, n_atoms: int) -> None:
        self._periodic = periodic
        self._n_atoms = n_atoms
        self._rest = b""
        self._lines: list[str] = []

    def feed(self, piece: bytes) -> list[Frame]:
        """Add the next bytes, which may begin and end anywhere.

        Parameters
        ----------
        piece
            Bytes that follow those of the previous call.

        Returns
        -------
        list of Frame
            Frames that these bytes have completed.

        Raises
        ------
        EngineError
            If the bytes are not from a LAMMPS dump with the columns of `COLUMNS` or `UNGRADED`.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._lines += [line.decode(errors="replace") for line in lines]
        frames = []
        while len(self._lines) >= self.HEADER:
            try:
                if (n_atoms := int(self._lines[3])) < 0:
                    raise ValueError("the number of atoms is negative")
                end = self.HEADER + n_atoms
                if len(self._lines) < end:
                    break
                if n_atoms == self._n_atoms:
                    frames.append(self._parse(self._lines[: self.HEADER], self._lines[self.HEADER : end]))
            except (ValueError, IndexError) as error:
                excerpt = "\n  ".join(line[:100] for line in self._lines[: self.HEADER])
                raise EngineError(f"the dump is not in LAMMPS's format ({error}); it continues:\n  {excerpt}") from None
            del self._lines[:end]
        return frames

    def _parse(self, header: list[str], rows: list[str]) -> Frame:
        columns = header[8].removeprefix("ITEM: ATOMS").split()
        if header[0] != "ITEM: TIMESTEP" or columns not in (COLUMNS.split(), UNGRADED.split()):
            raise ValueError(f"expected a snapshot with the columns {COLUMNS}")
        cell, origin = _box(header[4].split()[3:], [[float(n) for n in line.split()] for line in header[5:8]])
        values = np.array(" ".join(rows).split(), dtype=float).reshape(len(rows), len(columns))
        values = values[np.argsort(values[:, 0], kind="stable")]
        if not np.array_equal(values[:, 0], np.arange(1, len(rows) + 1)):
            raise ValueError("atoms are missing")
        return Frame(
            step=int(header[1]),
            positions=values[:, 1:4] - origin if self._periodic else values[:, 1:4].copy(),
            velocities=values[:, 4:7].copy(),
            images=values[:, 7:10].astype(int),
            cell=cell,
            gamma=values[:, 10].copy() if len(columns) == len(COLUMNS.split()) else np.array([]),
        )


def _box(kind: list[str], rows: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Read a box in any of LAMMPS's forms: orthogonal, the bounds of a tilted box, or three edges.

    Returns
    -------
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    origin : ndarray, shape (3,)
        Å.
    """
    numbers = np.array(rows)
    if kind[:2] == ["abc", "origin"]:
        return numbers[:, :3], numbers[:, 3]
    low, high = numbers[:, 0].copy(), numbers[:, 1].copy()
    xy, xz, yz = numbers[:, 2] if kind[:3] == ["xy", "xz", "yz"] else (0.0, 0.0, 0.0)
    low[:2] -= [min(0.0, xy, xz, xy + xz), min(0.0, yz)]
    high[:2] -= [max(0.0, xy, xz, xy + xz), max(0.0, yz)]
    lengths = high - low
    return np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]]), low
