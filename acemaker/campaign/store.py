"""A campaign's files beside its journal, all readable without acemaker."""

from __future__ import annotations

from pathlib import Path


class Store:
    """Names and handles the files of one campaign.

    Parameters
    ----------
    directory
        The campaign's own.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

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
        return self.directory / "segments" / f"segment_{number:04d}"

    def halt(self, number: int) -> Path:
        """File of the frames before a halt, the halted structure at the end."""
        return self.directory / "halts" / f"halt_{number:04d}.extxyz"

    def candidates(self, halt_number: int) -> Path:
        """File of the candidates of a halt; 0 for the first structures."""
        return self.directory / "candidates" / f"halt_{halt_number:04d}.extxyz"

    def label(self, halt_number: int, candidate: int) -> Path:
        """File of one label."""
        return self.directory / "labels" / f"halt_{halt_number:04d}_candidate_{candidate:03d}.extxyz"

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
        return None if name is None else self.directory / name

    def keep_checkpoint(self, keep: Path | None, segments: int) -> None:
        """Delete the checkpoints of ended segments but the one with which the next begins.

        Parameters
        ----------
        keep
            That one.
        segments
            How many segments have ended.
        """
        for number in range(1, segments + 1):
            for pattern in ("checkpoint.*", "halt.*"):
                for path in self.segment(number).glob(pattern):
                    if path != keep:
                        path.unlink(missing_ok=True)
