"""What a record says of itself, as plain data; text and HTML are made from the same."""

from __future__ import annotations

from dataclasses import dataclass, field

UNITS = {"K": "K", "GPa": "GPa", "eV": "eV", "A3": "Å³", "A": "Å", "ps": "ps"}
"""Units by the last word of an observable's name."""


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes
    ----------
    header : tuple of str
        Column names, with units.
    rows : tuple of tuples of str
        Cells as they are shown.
    words : bool
        Whether the cells are words, which are aligned to the left, rather than numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False


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


def number(value: float) -> str:
    """Format a number to three significant digits, thousands in full, and NaN as a dash."""
    if value != value:
        return "–"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def observable(name: str) -> tuple[str, str]:
    """Split an observable's name into what it is and its unit.

    Parameters
    ----------
    name
        As engines record it: ``potential_energy_eV``.

    Returns
    -------
    tuple of str
        ``("potential energy", "eV")``; an empty unit where the name has no known one.
    """
    words, _, unit = name.rpartition("_")
    if unit not in UNITS:
        return name.replace("_", " "), ""
    return words.replace("_", " "), UNITS[unit]


def counted(count: int, noun: str) -> str:
    """Write a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
