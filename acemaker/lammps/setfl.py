"""Which elements an EAM potential in LAMMPS's setfl format holds, as its header says, and which files hold some."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from ase.data import atomic_numbers

STYLES = {".eam.alloy": "eam/alloy", ".eam.fs": "eam/fs"}
"""Pair styles by the endings of their files, as LAMMPS's own collection has them."""

LINES = 4
"""Three comments, and then the number of elements and their symbols (LAMMPS manual, ``pair_style eam``)."""


def style_of(file: Path) -> str:
    """Name the pair style of a file by its ending; empty for one that is no setfl file.

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
        Any; only those with the endings of `STYLES` are looked into.

    Returns
    -------
    tuple of str
        Empty where there is no such header.
    """
    header = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if style_of(file):
            with file.open() as stream:
                header = [stream.readline() for _ in range(LINES)][-1]
    count, *symbols = header.split() or [""]
    named = count.isdecimal() and len(symbols) == int(count) and all(symbol in atomic_numbers for symbol in symbols)
    return tuple(symbols) if named else ()


def files_with(elements: Collection[str], folder: Path | None) -> list[Path]:
    """Find the setfl files that hold some elements, those with the fewest others first.

    Parameters
    ----------
    elements
        Chemical symbols.
    folder
        Where to look; None for nowhere.

    Returns
    -------
    list of Path
    """
    files = [] if folder is None else [file for file in folder.iterdir() if style_of(file)]
    held = [(elements_of(file), file) for file in files]
    fitting = [(len(symbols), style_of(file), file) for symbols, file in held if set(elements) <= set(symbols)]
    return [file for *_, file in sorted(fitting)]
