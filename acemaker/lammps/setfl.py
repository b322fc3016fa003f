"""Elements in the headers of EAM potential files in LAMMPS's setfl format."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from ase.data import atomic_numbers

STYLES = {".eam.alloy": "eam/alloy", ".eam.fs": "eam/fs"}
"""Pair styles by file ending, as in the collection that comes with LAMMPS."""

LINES = 4
"""Lines of the header: three comments, then number and symbols of the elements (LAMMPS manual, ``pair_style eam``)."""


def style_of(file: Path) -> str:
    """Return the pair style of a file by its ending; empty if it is not a setfl file.

    Returns
    -------
    str
    """
    return next((style for ending, style in STYLES.items() if file.name.endswith(ending)), "")


def elements_of(file: Path) -> tuple[str, ...]:
    """Read the elements in the header of a setfl file.

    Parameters
    ----------
    file
        Any file; only files with an ending of `STYLES` are read.

    Returns
    -------
    tuple of str
        Chemical symbols; empty if there is no such header.
    """
    header = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if style_of(file):
            with file.open() as stream:
                header = [stream.readline() for _ in range(LINES)][-1]
    count, *symbols = header.split() or [""]
    is_valid = count.isdecimal() and len(symbols) == int(count) and all(symbol in atomic_numbers for symbol in symbols)
    return tuple(symbols) if is_valid else ()


def files_with(elements: Collection[str], folder: Path | None) -> list[Path]:
    """Find the setfl files that contain all given elements, those with the fewest other elements first.

    Parameters
    ----------
    elements
        Chemical symbols.
    folder
        Folder to search; None for no folder.

    Returns
    -------
    list of Path
    """
    files = [] if folder is None else [file for file in folder.iterdir() if style_of(file)]
    contents = [(elements_of(file), file) for file in files]
    matches = [(len(symbols), style_of(file), file) for symbols, file in contents if set(elements) <= set(symbols)]
    return [file for *_, file in sorted(matches)]
