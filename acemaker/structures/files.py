"""Structure files: extended XYZ, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.errors import DamagedFileError
from acemaker.formatting.record import frozen
from acemaker.structures.frames import frame_text, read_frames
from acemaker.structures.mask import with_mask_of
from acemaker.utils.atomic_write import write_whole

DECIMALS = 8
"""Of a position in an extended XYZ file, Å; the cell keeps all of its digits."""


def as_written(atoms: Atoms) -> Atoms:
    """Copy symbols, positions, cell, periodicity and mask as they would come back from a file.

    What is known of the copy then holds to the bit for what is read later.

    Parameters
    ----------
    atoms
        Any.

    Returns
    -------
    Atoms
    """
    copy = Atoms(atoms.symbols, np.round(atoms.positions, DECIMALS), cell=atoms.cell, pbc=atoms.pbc)
    return with_mask_of(atoms, copy)


def write_structures(path: Path, structures: Sequence[Atoms]) -> tuple[Atoms, ...]:
    """Write an extended XYZ file at once or not at all, and read it back.

    Each frame has a checksum. The file keeps eight decimals. Going on with what was read makes a run that was killed,
    and had to read it, equal to one that was not.

    Parameters
    ----------
    path
        Where to write; its folder is made.
    structures
        What to write.

    Returns
    -------
    tuple of Atoms
        As they stand in the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (frame_text(atoms, _place(n, len(structures))) for n, atoms in enumerate(structures)))
    return read_structures(path)


def read_structures(path: Path) -> tuple[Atoms, ...]:
    """Read an extended XYZ file.

    Returns
    -------
    tuple of Atoms
        With read-only arrays.

    Raises
    ------
    DamagedFileError
        If it is missing, or is not as it was written.
    """
    try:
        frames, wrong = read_frames(path.read_bytes(), _place)
    except OSError as error:
        raise DamagedFileError(path, f"it cannot be read ({error.strerror})") from error
    if wrong or not frames:
        raise DamagedFileError(path, wrong or "there is no structure in it")
    return tuple(frozen(atoms) for atoms in frames)


def _place(number: int, total: int) -> str:
    """Name a frame's place: a file that has lost or gained one is another."""
    return f"{number}/{total}"
