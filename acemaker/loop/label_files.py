"""The two files of a label, of which each is read if the other one is damaged, and never replaced without a word."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable
from pathlib import Path

from ase import Atoms

from acemaker.errors import DamagedFileError
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.frames import NAME
from acemaker.utils.checksum import checksum

logger = logging.getLogger("acemaker")

SPARE = "spare"
"""Folder of the second copies of labels, beside the first ones."""

CHANGED = ".changed"
"""Ending of the name of a file that was changed, before it is written again from the other copy."""

_ENTRY = re.compile(rf" {NAME}=x[0-9a-f]{{8}}\r?$".encode(), re.M)

_told: set[tuple[Path, str]] = set()
"""Files of which it was said in this process that they are changed, and the checksums of their contents."""


def write_label(path: Path, atoms: Atoms) -> Atoms:
    """Write the two files of a label, each whole or not at all.

    Parameters
    ----------
    path
        The first file.
    atoms
        The labeled structure.

    Returns
    -------
    Atoms
        The label as it is in the files, which are equal.
    """
    (labeled,) = write_structures(path, [atoms], spare=spare_of(path))
    return labeled


def label_sum(path: Path) -> str:
    """Return the checksum of the file of a label, by which changes are noticed; that of its copy if it is missing."""
    with contextlib.suppress(OSError):
        return checksum(path.read_bytes())
    return checksum(spare_of(path).read_bytes())


def read_label(path: Path, expected: str = "") -> Atoms:
    """Read a label, from its second file if the first one is damaged or was changed, which is reported.

    Parameters
    ----------
    path
        The first file.
    expected
        Checksum of the file when it was written; empty if it is not known.

    Raises
    ------
    DamagedFileError
        If both files are damaged or were changed, or differ without a sign which one was changed.
    """
    good = _intact(path, expected)
    if good is None:
        try:
            labeled = read_structures(path)[0]
        except DamagedFileError as error:
            with contextlib.suppress(DamagedFileError):
                labeled = read_structures(spare_of(path))[0]
                if not expected:
                    return labeled
            raise error
        raise _changed(path, expected)
    file, labeled = good
    if file != path:
        _tell(path)
    return labeled


def find_label(path: Path, expected: str = "") -> Atoms | None:
    """Read a label if one of its two files is whole; the other one is written again if it is damaged or missing.

    A file that was damaged or changed is renamed first, and this is reported; so are both if both are damaged.

    Parameters
    ----------
    path
        The first file.
    expected
        Checksum of the file when it was written; empty if it is not known.

    Returns
    -------
    Atoms or None
        None if there is no label, or both files are damaged.

    Raises
    ------
    DamagedFileError
        If both files can be read, but were changed, or differ without a sign which one was changed.
    """
    spare = spare_of(path)
    if not (path.exists() or spare.exists()):
        return None
    good = _intact(path, expected)
    if good is None:
        for file in (path, spare):
            if _read(file) is not None:
                raise _changed(path, expected)
        set_aside(path)
        return None
    intact, labeled = good
    other = spare if intact == path else path
    if not _are_equal(path, spare):
        if other.exists():
            _tell(other, renamed=True)
            other.replace(other.with_name(other.name + CHANGED))
        other.parent.mkdir(parents=True, exist_ok=True)
        write_structures(other, [labeled])
    return labeled


def report_changed(files: Iterable[tuple[Path, str]]) -> None:
    """Warn of labels whose files were changed since they were written.

    Parameters
    ----------
    files
        The first file of each label, and its checksum when it was written.
    """
    for path, expected in files:
        if not expected:
            continue
        with contextlib.suppress(OSError):
            if checksum(path.read_bytes()) != expected:
                _tell(path)


def set_aside(path: Path) -> None:
    """Rename the files of a label, which are both damaged or belong to another label."""
    for file in (path, spare_of(path)):
        with contextlib.suppress(FileNotFoundError):
            file.replace(file.with_name(file.name + ".damaged"))


def spare_of(path: Path) -> Path:
    """Return the second file of a label."""
    return path.parent / SPARE / path.name


def _intact(path: Path, expected: str) -> tuple[Path, Atoms] | None:
    """Return the file of the two that is as it was written, and the label in it; None if neither is, or both may be."""
    spare = spare_of(path)
    if expected:
        file = next((file for file in (path, spare) if checksum(_content(file)) == expected), None)
        return None if file is None else (file, read_structures(file)[0])
    contents = {file: _content(file) for file in (path, spare)}
    files = (path,) if contents[path] == contents[spare] else (path, spare)
    readable = [(file, labeled) for file in files if contents[file] and (labeled := _read(file)) is not None]
    if len(readable) < 2:
        return next(iter(readable), None)
    # a program that changes a file removes its checksum, since it belongs to the comment line
    sealed = [pair for pair in readable if _ENTRY.search(contents[pair[0]])]
    return sealed[0] if len(sealed) == 1 else None


def _content(file: Path) -> bytes:
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""


def _read(file: Path) -> Atoms | None:
    with contextlib.suppress(DamagedFileError):
        return read_structures(file)[0]
    return None


def _are_equal(path: Path, spare: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes() == spare.read_bytes()
    return False


def _changed(path: Path, expected: str) -> DamagedFileError:
    """Return the error of a label whose files were changed."""
    spare = f"{SPARE}/{path.name}"
    problem = f"it and its copy {spare} were changed since the label was computed"
    if not expected:
        problem = f"it differs from its copy {spare}, and one of both was changed since the label was computed"
    return DamagedFileError(
        path,
        problem,
        "restore one of them from a copy and delete the other one. To compute the label again: "
        f"campaign.relabel({path.stem!r}); to use other values: campaign.remove({path.stem!r}, reason), then "
        "campaign.add(structures) with their results",
    )


def _tell(path: Path, *, renamed: bool = False) -> None:
    """Warn, once per process and content, that a file was changed and its copy is used."""
    content = _content(path)
    if not content and not path.exists():
        return  # the copy takes its place without loss
    if (path, checksum(content)) in _told:
        return
    _told.add((path, checksum(content)))
    other = path.parent.parent / path.name if path.parent.name == SPARE else spare_of(path)
    action = f"; it is renamed to {path.name}{CHANGED}" if renamed else ""
    logger.warning(
        f"the label file {path} was changed or damaged since the label was computed; its unchanged copy {other} is "
        f"used{action}. To use other values instead: campaign.remove({path.stem!r}, reason), then "
        "campaign.add(structures) with their results"
    )
