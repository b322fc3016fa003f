"""Files of named arrays that are whole or not there, and that tell when they have been changed."""

from __future__ import annotations

import contextlib
import lzma
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
"""What numpy and zipfile raise for a file that was cut off or changed; numpy reads the head of an array as Python."""

SUM = "checksum"


def write_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, pickling nothing; the file is there whole, on the disk, or not at all.

    Parameters
    ----------
    file
        NumPy's ``.npz``, in a folder that exists.
    arrays
        By name, which is not "checksum".

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it.
    TypeError
        If an array holds Python objects.
    """
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise TypeError(f"expected numbers or text, got Python objects in {', '.join(objects)}")
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            named: dict[str, Any] = {**arrays, SUM: np.asarray(_sum(arrays))}
            np.savez(stream, **named)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(file: Path) -> dict[str, np.ndarray] | None:
    """Read what `write_arrays` has written.

    Parameters
    ----------
    file
        It may be anything; nothing is unpickled.

    Returns
    -------
    dict of str to ndarray, or None
        None where it is missing, damaged or not such a file.
    """
    with contextlib.suppress(*UNREADABLE), file.open("rb") as stream, np.load(stream) as read:  # numpy leaves it open
        arrays = dict(read)
        if str(arrays.pop(SUM)) == _sum(arrays):
            return arrays
    return None


def _sum(arrays: Mapping[str, np.ndarray]) -> str:
    """Sum up all arrays with their names, as `acemaker.utils.checksum.checksum` does a piece."""
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), total))
    return f"x{total:08x}"
