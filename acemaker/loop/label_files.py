"""The files of labels: each is kept twice, since each was paid for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ase import Atoms

from acemaker.errors import DamagedFileError
from acemaker.structures.files import read_structures, write_structures

SPARE = "spare"
"""The folder of the second copies, beside the first."""


def write_label(path: Path, atoms: Atoms) -> None:
    """Write a label's two files, each whole or not at all.

    Parameters
    ----------
    path
        Of the first.
    atoms
        The labelled structure.
    """
    write_structures(path, [atoms])
    write_structures(spare_of(path), [atoms])


def read_label(path: Path) -> Atoms:
    """Read a label, from its second file if the first one is damaged.

    Parameters
    ----------
    path
        Of the first.

    Raises
    ------
    DamagedFileError
        If both are.
    """
    try:
        return read_structures(path)[0]
    except DamagedFileError as error:
        with contextlib.suppress(DamagedFileError):
            return read_structures(spare_of(path))[0]
        raise error


def find_label(path: Path) -> Atoms | None:
    """Read a label, where one of its two files is whole; the other is made good.

    Parameters
    ----------
    path
        Of the first.

    Returns
    -------
    Atoms or None
        None where there is none.
    """
    with contextlib.suppress(DamagedFileError):
        labelled = read_label(path)
        for file in (path, spare_of(path)):
            try:
                read_structures(file)
            except DamagedFileError:
                write_structures(file, [labelled])
        return labelled
    return None


def set_aside(path: Path) -> None:
    """Make room for a label whose files are both damaged; what is left of them is kept."""
    for file in (path, spare_of(path)):
        with contextlib.suppress(FileNotFoundError):
            file.replace(file.with_name(file.name + ".damaged"))


def spare_of(path: Path) -> Path:
    """Name the second file of a label."""
    return path.parent / SPARE / path.name
