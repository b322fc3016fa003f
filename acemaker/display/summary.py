"""What a record says of itself, as plain data; text and HTML are made from the same."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes
    ----------
    header : tuple of str
        Column names, with units.
    rows : tuple of tuples of str
        Cells as they are shown.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Summary:
    """The content of a repr.

    Attributes
    ----------
    title : str
        One line.
    items : tuple of pairs of str
        Name and value, with unit.
    table : Table or None
        Shown after the items.
    strip : tuple of pairs of str
        State and how it stands: done, now, failed or open.
    """

    title: str
    items: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    strip: tuple[tuple[str, str], ...] = field(default=())


def number(value: float, digits: int = 3) -> str:
    """Format a number to significant digits, and NaN as a dash."""
    return "–" if value != value else f"{value:.{digits}g}"


def counted(count: int, noun: str) -> str:
    """Write a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
