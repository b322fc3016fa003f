"""Frames of extended XYZ files, each with a checksum in its second line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

from ase import Atoms

from acemaker.utils.checksum import checksum

NAME = "checksum"
"""Of the entry; ASE reads it as one of ``info``, where nobody wants it."""

_ENTRY = re.compile(rf" {NAME}=(x[0-9a-f]{{8}})$")
_DAMAGED_ENTRY = re.compile(rf" {NAME}=|=x[0-9a-f]{{8}}$")


def frame_text(atoms: Atoms, place: str) -> str:
    """Write a structure as a frame of an extended XYZ file.

    Parameters
    ----------
    atoms
        The structure, with results if it has some.
    place
        Where in the file it stands.

    Returns
    -------
    str
    """
    from ase.io import write

    if NAME in atoms.info:
        bare = atoms.copy()
        bare.calc = atoms.calc
        del bare.info[NAME]
        atoms = bare
    stream = io.StringIO()
    write(stream, atoms, format="extxyz")
    count, comment, rows = stream.getvalue().split("\n", 2)
    return f"{count}\n{comment} {NAME}={_sum(count, comment, rows, place)}\n{rows}"


def read_frames(content: bytes, place: Callable[[int, int], str]) -> tuple[list[Atoms], str]:
    """Read the frames of an extended XYZ file up to the first that is not as it was written.

    Files without checksums, of others or of older versions, are read as they are.

    Parameters
    ----------
    content
        Of the file.
    place
        Says by number, and by how many there are, where a frame stands.

    Returns
    -------
    frames : list of Atoms
        In order.
    wrong : str
        What is wrong with the frame behind these; empty if there is none.
    """
    from ase.io.extxyz import read_xyz

    texts, wrong = _split(content)
    frames: list[Atoms] = []
    summed = False
    for number, (count, comment, rows) in enumerate(texts):
        entry = _ENTRY.search(comment)
        if entry is not None:
            summed, comment = True, comment[: entry.start()]
            if _sum(count, comment, rows, place(number, len(texts))) != entry[1]:
                return frames, f"frame {number + 1} does not agree with its checksum"
        elif summed or _DAMAGED_ENTRY.search(comment):
            return frames, f"frame {number + 1} has no checksum"
        try:
            if _columns(comment) > len(rows.split("\n", 1)[0].split()):
                raise ValueError("there are fewer columns than announced")
            (atoms,) = read_xyz(io.StringIO(f"{count}\n{comment}\n{rows}"), index=slice(None))
        except Exception as error:  # ASE raises whatever int, float and numpy do
            return frames, f"frame {number + 1} cannot be read: {error}"
        atoms.info.pop(NAME, None)
        frames.append(atoms)
    return frames, wrong


def check_announced(path: Path) -> None:
    """Make sure that an XYZ file has the atoms and columns that it announces: ASE would look for them for hours.

    Parameters
    ----------
    path
        A file of any format; all others pass.

    Raises
    ------
    ValueError
        If it has fewer.
    """
    from ase.io.formats import filetype

    if filetype(str(path), guess=True) not in ("extxyz", "xyz"):
        return
    lines = path.read_bytes().split(b"\n")
    start = 0
    while start < len(lines) and lines[start].strip().isdigit():
        count = lines[start].strip()
        end = start + 2 + int(count[:12])
        if end > len(lines):
            announced = count.decode()[:12]
            raise ValueError(f"line {start + 1} announces {announced} atoms, and there are {len(lines)} lines")
        columns = _columns(lines[start + 1].decode(errors="replace"))
        if columns > len(lines[start + 2].split()):
            raise ValueError(f"line {start + 2} announces {columns} columns, and there are fewer")
        start = end


def _columns(comment: str) -> int:
    """Count the columns that a comment line announces: ASE would make as many names, however many."""
    found = re.search(r"\bProperties=(\S+)", comment)
    return sum(int(number[:12]) for number in re.findall(r":[A-Z]:(\d+)", found[1])) if found else 0


def _sum(count: str, comment: str, rows: str, place: str) -> str:
    return checksum(f"{count}\n{comment}\n{rows}", place)


def _split(content: bytes) -> tuple[list[tuple[str, str, str]], str]:
    """Cut a file into frames: number of atoms, comment, and the rows of as many atoms as are there."""
    lines = content.decode(errors="replace").split("\n")
    cut_off = lines.pop()  # nothing, where the file ends as it should
    texts: list[tuple[str, str, str]] = []
    start = 0
    while start < len(lines):
        number = f"frame {len(texts) + 1}"
        count = lines[start].strip()
        if not (count.isascii() and count.isdecimal() and len(count) < 12):
            return texts, f"{number} begins with {lines[start][:40]!r} where the number of its atoms should be"
        end = start + 2 + int(count)
        if end > len(lines):
            return texts, f"{number} is to have {count} atoms, and is cut off"
        texts.append((lines[start], lines[start + 1], "".join(line + "\n" for line in lines[start + 2 : end])))
        start = end
    return texts, f"frame {len(texts) + 1} is cut off" if cut_off else ""
