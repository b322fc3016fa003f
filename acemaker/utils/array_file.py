"""Files of named arrays that are written atomically and protected by a checksum."""

from __future__ import annotations

import contextlib
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.utils.atomic_write import whole_file

UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""Exceptions that numpy and zipfile raise for a damaged file; numpy parses the header of an array as Python."""

SUM = "checksum"


def write_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays atomically, without pickling, and flush them to disk.

    Parameters
    ----------
    file
        Path of a NumPy ``.npz`` file; its folder must exist.
    arrays
        Arrays by name, except "checksum".

    Raises
    ------
    OSError
        If the file cannot be written; no partial file is left.
    TypeError
        If an array contains Python objects.
    """
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise TypeError(f"expected numbers or text, got Python objects in {', '.join(objects)}")
    content: dict[str, Any] = {**arrays, SUM: np.asarray(_checksum(arrays))}
    with whole_file(file) as stream:
        np.savez(stream, **content)


def read_arrays(file: Path) -> dict[str, np.ndarray] | None:
    """Read a file that `write_arrays` has written.

    Parameters
    ----------
    file
        Any file; nothing is unpickled.

    Returns
    -------
    dict of str to ndarray, or None
        None if the file is missing, damaged or of another kind.
    """
    # opened here, since numpy does not close a file that it cannot read
    with contextlib.suppress(*UNREADABLE), file.open("rb") as stream, np.load(stream) as content:
        arrays = dict(content)
        if str(arrays.pop(SUM)) == _checksum(arrays):
            return arrays
    return None


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a checksum of all arrays with their names, in the format of `acemaker.utils.checksum.checksum`."""
    crc = 0
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), crc))
    return f"x{crc:08x}"
