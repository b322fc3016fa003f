"""Structure files: extended XYZ with checksums, written atomically."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.errors import DamagedFileError
from acemaker.formatting.record import frozen
from acemaker.structures.frames import frame_text, read_frames
from acemaker.structures.mask import with_mask_of
from acemaker.structures.per_atom import MASSES, MOMENTS, bare_copy
from acemaker.utils.atomic_write import write_whole

DECIMALS = 8
"""Decimals of positions (Å), moments and masses in an extended XYZ file; the cell is written with all digits."""


def as_written(atoms: Atoms) -> Atoms:
    """Copy symbols, positions, cell, periodicity, mask and `PER_ATOM` arrays as they would be read back from a file.

    Results for the copy are then valid to the bit for the structure that is read later.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    Atoms
    """
    copy = bare_copy(atoms)
    for name in {"positions", MOMENTS, MASSES} & set(copy.arrays):
        copy.arrays[name] = np.round(copy.arrays[name], DECIMALS)
    return with_mask_of(atoms, copy)


def write_structures(path: Path, structures: Sequence[Atoms], spare: Path | None = None) -> tuple[Atoms, ...]:
    """Write an extended XYZ file atomically and read it back.

    Each frame has a checksum. Positions have eight decimals. A run that continues with the returned structures is equal
    to one that was killed and read them from the file.

    Parameters
    ----------
    path
        Path of the file; its folder is created.
    structures
        Structures to write.
    spare
        Path of a second file with the same content, written after the first one; None for none.

    Returns
    -------
    tuple of Atoms
        The structures as read from the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = map(frame_text, structures, itertools.count(), itertools.repeat(len(structures)))
    if spare is None:
        write_whole(path, texts)
    else:
        spare.parent.mkdir(parents=True, exist_ok=True)
        content = "".join(texts)
        for file in (path, spare):
            write_whole(file, content)
    return read_structures(path)


def read_structures(path: Path) -> tuple[Atoms, ...]:
    """Read an extended XYZ file.

    Returns
    -------
    tuple of Atoms
        Structures with read-only arrays.

    Raises
    ------
    DamagedFileError
        If the file is missing or has changed since it was written.
    """
    try:
        frames, problem = read_frames(path.read_bytes())
    except OSError as error:
        raise DamagedFileError(path, f"it cannot be read ({error.strerror})") from error
    if problem or not frames:
        raise DamagedFileError(path, problem or "it contains no structure")
    return tuple(map(frozen, frames))
