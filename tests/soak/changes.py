"""Changes of a file's content that faulty disks, faulty programs and attackers cause."""

from __future__ import annotations

import random
import re
from collections.abc import Callable


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncated(content: bytes, rng: random.Random) -> bytes:
    """Truncate the file."""
    return content[: rng.randrange(len(content))]


def doubled(content: bytes, rng: random.Random) -> bytes:
    """Duplicate one line, or the whole content."""
    lines = content.splitlines(keepends=True)
    if rng.random() < 0.3:
        return content + content
    place = rng.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def zeroed(content: bytes, rng: random.Random) -> bytes:
    """Replace a part by zeros, as a file system that lost its journal does."""
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice((1, 16, 512, 4096)))
    return content[:start] + b"\0" * (end - start) + content[end:]


def shortened(content: bytes, rng: random.Random) -> bytes:
    """Remove a line."""
    lines = content.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    return b"".join([*lines[:place], *lines[place + 1 :]])


def swapped(content: bytes, rng: random.Random) -> bytes:
    """Swap two lines."""
    lines = content.splitlines(keepends=True)
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def strewn(content: bytes, rng: random.Random) -> bytes:
    """Overwrite a part with random bytes, or insert them."""
    place, junk = rng.randrange(len(content)), rng.randbytes(rng.choice((1, 4, 64)))
    return content[:place] + junk + content[place + rng.choice((0, len(junk))) :]


def misnumbered(content: bytes, rng: random.Random) -> bytes:
    """Replace a number by something else."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", content))
    if not found:
        return strewn(content, rng)
    number = rng.choice(found)
    return content[: number.start()] + rng.choice(NUMBERS) + content[number.end() :]


def misworded(content: bytes, rng: random.Random) -> bytes:
    """Replace a word, or a value in JSON or YAML, by something else."""
    found = list(re.finditer(rb'"[^"\n]*"|\[[^\[\]\n]*\]|[A-Za-z_]+', content))
    if not found:
        return strewn(content, rng)
    word = rng.choice(found)
    return content[: word.start()] + rng.choice(WORDS) + content[word.end() :]


NUMBERS = (
    b"-1",
    b"0",
    b"99999999999",
    b"1e308",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"9" * 5000,
    b"2147483648",
    b"0.5",
    b"",
)
WORDS = (
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'""',
    b"[[[[[1]]]]]",
    b'"\\ud800"',
    b"-",
    b"[" * 20000,
    b'{"a": ' * 2000,
    b"&a [*a]",
)

DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a bit flipped": flipped,
    "truncated": truncated,
    "doubled": doubled,
    "zeros": zeroed,
    "a line missing": shortened,
}
"""What disks and file systems do."""

FORGERIES = {
    **DAMAGES,
    "lines swapped": swapped,
    "random bytes": strewn,
    "another number": misnumbered,
    "another word": misworded,
}
"""What else programs and people do."""
