"""The files of a campaign: their names, the permitted contents of its directory, and errors of the file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from acemaker.errors import AcemakerError, CampaignError

FILES_PER_FOLDER = 1000
"""Maximum number of halts or segments whose files are in one folder: some file systems are slow with very many files,
or refuse them."""

_ATTACH = "make it writable, or read the campaign with acemaker.attach(directory)"

REMEDIES = {
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space",
    errno.EFBIG: "free disk space, or allow larger files",
    errno.EROFS: _ATTACH,
    errno.EACCES: _ATTACH,
    errno.EPERM: _ATTACH,
    errno.ENOENT: "restore the missing files from a copy",
}
"""What to do about an error of the file system."""


class Store:
    """Names and deletes the files of one campaign, all of which can be read without acemaker.

    Parameters
    ----------
    directory
        The campaign's directory.
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
        """File of the structures with which the walkers start."""
        return self.directory / "initial.extxyz"

    @property
    def first_labels(self) -> Path:
        """File of the labels that existed before the campaign: those of the first candidates, then isolated atoms."""
        return self.directory / "first_labels.extxyz"

    @property
    def pretraining(self) -> Path:
        """File of the structures that were labeled by the pretraining calculator."""
        return self.directory / "pretraining.extxyz"

    @property
    def committee(self) -> Path:
        """Folder of the models of the committee."""
        return self.directory / "committee"

    def segment(self, number: int) -> Path:
        """Return the folder of a segment."""
        return _numbered_folder(self.directory / "segments", number) / f"segment_{number:04d}"

    def halt(self, number: int) -> Path:
        """Return the file of the frames before a halt; the halted structure is the last one."""
        return _numbered_folder(self.directory / "halts", number) / f"halt_{number:04d}.extxyz"

    def candidates(self, halt_number: int | None) -> Path:
        """Return the file of the candidates of a halt; of the initial structures if the halt is None."""
        if halt_number is None:
            return self.directory / "candidates" / "initial.extxyz"
        return _numbered_folder(self.directory / "candidates", halt_number) / f"halt_{halt_number:04d}.extxyz"

    def label(self, halt_number: int | None, candidate: int) -> Path:
        """Return the file of one label; of an initial structure if the halt is None."""
        if halt_number is None:
            return self.directory / "labels" / f"initial_{candidate:03d}.extxyz"
        folder = _numbered_folder(self.directory / "labels", halt_number)
        return folder / f"halt_{halt_number:04d}_candidate_{candidate:03d}.extxyz"

    def added(self, number: int) -> Path:
        """Return the file of the structures of an addition by hand."""
        return self.directory / "candidates" / f"added_{number:04d}.extxyz"

    def added_label(self, number: int, index: int) -> Path:
        """Return the file of the label of a structure that was added by hand."""
        return self.directory / "labels" / f"added_{number:04d}_structure_{index:03d}.extxyz"

    def label_again(self, file: str, number: int) -> Path:
        """Return the file of a label that is computed again, beside that of an earlier version."""
        earlier = contained(self.directory, file)
        return earlier.with_name(f"{earlier.stem.partition('_again_')[0]}_again_{number:04d}.extxyz")

    def isolated_atom(self, element: str) -> Path:
        """Return the file of the label of an isolated atom."""
        return self.directory / "labels" / f"isolated_{element}.extxyz"

    @property
    def earlier(self) -> Path:
        """Folder of the labels of earlier campaigns in this directory, which this one has replaced."""
        return self.directory / "earlier_labels"

    @property
    def replacing(self) -> Path:
        """File that exists while a campaign is replaced by another one, after its labels were copied."""
        return self.earlier / "replacing"

    @property
    def failures(self) -> Path:
        """Folder of the output of failed calculations."""
        return self.directory / "oracle_failures"

    @property
    def queue(self) -> Path:
        """Folder of the jobs and of finished labels that are not collected yet."""
        return self.directory / "queue"

    def relative(self, path: Path | None) -> str | None:
        """Return the name of a file as in the journal, relative to the directory, so that a campaign may be moved."""
        return None if path is None else path.relative_to(self.directory).as_posix()

    def absolute(self, name: str | None) -> Path | None:
        """Return the path of a file from its name in the journal."""
        return None if name is None else contained(self.directory, name)

    def keep_checkpoints(self, keep: Collection[Path | None], segments: int) -> None:
        """Delete the checkpoints of ended segments, except for those from which walkers continue.

        Segments that were processed by an earlier call are skipped, since there may be very many.

        Parameters
        ----------
        keep
            The checkpoints from which walkers continue.
        segments
            Number of ended segments.
        """
        ended = {self.segment(number) for number in range(self._swept + 1, segments + 1)}
        for folder in ended | self._spared:
            for pattern in ("checkpoint.*", "halt.*"):
                for path in folder.glob(pattern):
                    if path not in keep:
                        path.unlink(missing_ok=True)
        self._swept, self._spared = segments, {path.parent for path in keep if path is not None}


def check_contents(directory: Path) -> None:
    """Refuse a directory that contains links or special files, before any of its files is opened.

    Through a link, files outside of the directory would be read, written or deleted as files of the campaign; reading
    a pipe would block.

    Hidden entries at the top, such as an environment, are ignored: no file of a campaign is hidden.

    Parameters
    ----------
    directory
        The campaign's directory. Its path may contain links, and it need not exist.

    Raises
    ------
    CampaignError
        Names the first such entry and the target of a link, or a folder that cannot be read.
    """
    top = os.fspath(directory)
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if folder == top and (entry.name.startswith(".") or entry.name == "lost+found"):
                        continue  # acemaker never opens these: an environment, checkpoints of a notebook
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        _refuse(Path(entry.path), directory)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted meanwhile, or no campaign
        except OSError as error:  # the files in it could still be opened by their names
            name = os.path.relpath(folder, directory)
            raise CampaignError(
                f"the folder {name[:200]} in {directory} cannot be read ({error.strerror}); make it readable, or "
                "remove it"
            ) from error


def _refuse(path: Path, directory: Path) -> None:
    try:
        kind = f"a link to {path.readlink()}"
    except OSError:  # not a link, or deleted meanwhile
        if not path.exists():
            return
        kind = "a pipe, socket or device"
    raise CampaignError(
        f"{path.relative_to(directory)} in {directory} is {kind}; a campaign's directory may contain only files and "
        "folders: replace it by the file or folder itself, or remove it"
    )


def contained(directory: Path, name: str) -> Path:
    """Return the path of a file that the journal names.

    Raises
    ------
    CampaignError
        If the file is outside of the directory.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise CampaignError(
            f"the journal in {directory} names the file {name!r}, which is outside of the campaign's directory; "
            "acemaker never writes such a name: restore journal.jsonl from a copy"
        )
    return directory / name


@contextmanager
def translated_os_errors(directory: Path, *, exists: bool = True) -> Iterator[None]:
    """Raise a `CampaignError` with a remedy in place of an `OSError` within a block.

    Parameters
    ----------
    directory
        The campaign's directory.
    exists
        Whether the campaign exists; otherwise it is about to be created, and no file has been written.

    Raises
    ------
    CampaignError
        In place of an `OSError`.
    """
    try:
        yield
    except AcemakerError:
        raise
    except OSError as error:
        if not exists:
            raise CampaignError(
                f"cannot create a campaign in {directory} ({error}); no files were written: fix the problem and retry"
            ) from error
        remedy = REMEDIES.get(error.errno or 0, "fix the problem")
        raise CampaignError(
            f"the campaign in {directory} cannot continue ({error}); {remedy}, then open it again: all results so far "
            "are stored"
        ) from error


def _numbered_folder(folder: Path, number: int) -> Path:
    """Return the folder of a numbered file: the first files are in the folder itself, later ones in subfolders."""
    return folder if number < FILES_PER_FOLDER else folder / f"{number - number % FILES_PER_FOLDER}"
