"""A campaign's files beside its journal, all readable without acemaker."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from acemaker.loop.contents import contained

A_FOLDER = 1000
"""Halts or segments whose files lie in one folder: a file system is slow with, or refuses, very many."""


class Store:
    """Names and handles the files of one campaign.

    Parameters
    ----------
    directory
        The campaign's own.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._swept, self._spared = 0, set[Path]()

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.directory / "journal.jsonl"

    @property
    def potentials(self) -> Path:
        """Folder of the generations."""
        return self.directory / "potentials"

    @property
    def initial(self) -> Path:
        """The structure with which the trajectory starts."""
        return self.directory / "initial.extxyz"

    @property
    def pretraining(self) -> Path:
        """Structures labelled by a cheap calculator, on which the fit leans."""
        return self.directory / "pretraining.extxyz"

    def segment(self, number: int) -> Path:
        """Folder of a segment."""
        return _among(self.directory / "segments", number) / f"segment_{number:04d}"

    def halt(self, number: int) -> Path:
        """File of the frames before a halt, the halted structure at the end."""
        return _among(self.directory / "halts", number) / f"halt_{number:04d}.extxyz"

    def candidates(self, halt_number: int) -> Path:
        """File of the candidates of a halt; 0 for the first structures."""
        return _among(self.directory / "candidates", halt_number) / f"halt_{halt_number:04d}.extxyz"

    def label(self, halt_number: int, candidate: int) -> Path:
        """File of one label."""
        folder = _among(self.directory / "labels", halt_number)
        return folder / f"halt_{halt_number:04d}_candidate_{candidate:03d}.extxyz"

    @property
    def failures(self) -> Path:
        """Folder of what failed calculations have written."""
        return self.directory / "oracle_failures"

    @property
    def queue(self) -> Path:
        """Folder of labels on their way."""
        return self.directory / "queue"

    def relative(self, path: Path | None) -> str | None:
        """Name a file as the journal does, so that a campaign may be moved."""
        return None if path is None else path.relative_to(self.directory).as_posix()

    def absolute(self, name: str | None) -> Path | None:
        """Undo `relative`."""
        return None if name is None else contained(self.directory, name)

    def keep_checkpoints(self, keep: Collection[Path | None], segments: int) -> None:
        """Delete the checkpoints of ended segments but those from which walkers go on.

        Segments that have been looked through before are left alone: there may be very many.

        Parameters
        ----------
        keep
            These.
        segments
            How many segments have ended.
        """
        ended = {self.segment(number) for number in range(self._swept + 1, segments + 1)}
        for folder in ended | self._spared:
            for pattern in ("checkpoint.*", "halt.*"):
                for path in folder.glob(pattern):
                    if path not in keep:
                        path.unlink(missing_ok=True)
        self._swept, self._spared = segments, {path.parent for path in keep if path is not None}


def _among(folder: Path, number: int) -> Path:
    """Name the folder of a numbered file: the first lie in it, later ones in folders of their own."""
    return folder if number < A_FOLDER else folder / f"{number - number % A_FOLDER}"
