"""Frames of extended XYZ files, each with a checksum in its second line."""

from __future__ import annotations

import io
import re
from pathlib import Path

from ase import Atoms

from acemaker.utils.checksum import checksum

NAME = "checksum"
"""Name of the entry in the comment line. ASE reads it into ``info``, from which it is removed."""

_ENTRY = re.compile(rf" {NAME}=(x[0-9a-f]{{8}})$")
_DAMAGED_ENTRY = re.compile(rf" {NAME}=|=x[0-9a-f]{{8}}$")


def frame_text(atoms: Atoms, number: int, total: int | None = None) -> str:
    """Format a structure as a frame of an extended XYZ file.

    Parameters
    ----------
    atoms
        The structure, optionally with results.
    number
        Number of the frame in its file, from 0, which enters the checksum so that lost and added frames are detected.
    total
        Number of frames of the file, which enters the checksum, too; None for a file that grows.

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
    return f"{count}\n{comment} {NAME}={_sum(count, comment, rows, number, total)}\n{rows}"


def read_frames(content: bytes, *, grows: bool = False) -> tuple[list[Atoms], str]:
    """Read the frames of an extended XYZ file up to the first damaged one.

    Files without checksums, from other programs or older versions, are read without this check.

    Parameters
    ----------
    content
        Content of the file.
    grows
        Whether the frames were written one by one, without the number of frames.

    Returns
    -------
    frames : list of Atoms
        Frames before the first damaged one.
    problem : str
        Description of the damage; empty if there is none.
    """
    from ase.io.extxyz import read_xyz

    texts, problem = _split(content)
    frames: list[Atoms] = []
    total = None if grows else len(texts)
    has_checksums = False
    for number, (count, comment, rows) in enumerate(texts):
        entry, n_columns = _ENTRY.search(comment), _columns(comment)
        if entry is not None:
            has_checksums, comment = True, comment[: entry.start()]
            if _sum(count, comment, rows, number, total) != entry[1]:
                return frames, f"frame {number + 1} does not match its checksum"
        elif has_checksums or _DAMAGED_ENTRY.search(comment):
            return frames, f"frame {number + 1} has no checksum"
        try:
            if n_columns > len(rows.split("\n", 1)[0].split()):
                raise ValueError("there are fewer columns than declared")
            (atoms,) = read_xyz(io.StringIO(f"{count}\n{comment}\n{rows}"), index=slice(None))
        except Exception as error:  # ASE passes on errors of int, float and numpy
            return frames, f"frame {number + 1} cannot be read: {error}"
        atoms.info.pop(NAME, None)
        frames.append(atoms)
    return frames, problem


def check_declared_size(path: Path) -> None:
    """Check that an XYZ file has the atoms and columns that it declares, for which ASE would search for hours.

    Parameters
    ----------
    path
        File of any format; files of other formats are not checked.

    Raises
    ------
    ValueError
        If the file has fewer atoms or columns.
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
            declared = count.decode()[:12]
            raise ValueError(f"line {start + 1} declares {declared} atoms, but the file has only {len(lines)} lines")
        columns = _columns(lines[start + 1].decode(errors="replace"))
        if columns > len(lines[start + 2].split()):
            raise ValueError(f"line {start + 2} declares {columns} columns, but the next line has fewer")
        start = end


def _columns(comment: str) -> int:
    """Return the number of columns that a comment line declares; ASE would create a name for each without a limit."""
    properties = re.search(r"\bProperties=(\S+)", comment)
    return sum(int(number[:12]) for number in re.findall(r":[A-Z]:(\d+)", properties[1])) if properties else 0


def _sum(count: str, comment: str, rows: str, number: int, total: int | None) -> str:
    return checksum(f"{count}\n{comment}\n{rows}", str(number) if total is None else f"{number}/{total}")


def _split(content: bytes) -> tuple[list[tuple[str, str, str]], str]:
    """Split a file into frames (number of atoms, comment, rows); return these and a description of damage."""
    lines = content.decode(errors="replace").split("\n")
    cut_off = lines.pop()  # empty if the file ends with a newline
    texts: list[tuple[str, str, str]] = []
    start = 0
    while start < len(lines):
        number = f"frame {len(texts) + 1}"
        count = lines[start].strip()
        if not (count.isascii() and count.isdecimal() and len(count) < 12):
            return texts, f"{number} starts with {lines[start][:40]!r} instead of its number of atoms"
        end = start + 2 + int(count)
        if end > len(lines):
            return texts, f"{number} declares {count} atoms, but the file is cut off"
        texts.append((lines[start], lines[start + 1], "".join(line + "\n" for line in lines[start + 2 : end])))
        start = end
    return texts, f"frame {len(texts) + 1} is cut off" if cut_off else ""
