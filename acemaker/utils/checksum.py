"""Checksums that detect changes of files."""

from __future__ import annotations

import zlib


def checksum(content: bytes | str, position: str = "") -> str:
    """Return the checksum of a piece of a file.

    Parameters
    ----------
    content
        Piece of the file.
    position
        Position of the piece, e.g. its number or the checksum of the previous piece, so that the same content has
        another checksum at another position.

    Returns
    -------
    str
        A letter, so that it cannot be mistaken for a number, and the eight digits of the CRC-32 [1]_, which detects
        every error burst of up to 32 bits, and misses one in four billion other errors.

    References
    ----------
    .. [1] W. W. Peterson, D. T. Brown, Proc. IRE 49, 228 (1961).
    """
    data = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    return f"x{zlib.crc32(data, zlib.crc32(position.encode()) if position else 0):08x}"
