"""Content of a record's representation as plain data, from which text and HTML are rendered."""

from __future__ import annotations

from dataclasses import dataclass, field

UNITS = {"K": "K", "GPa": "GPa", "eV": "eV", "A3": "Å³", "A": "Å", "ps": "ps", "meV/A": "meV/Å"}
"""Units by the last part of an observable's name."""


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes
    ----------
    header : tuple of str
        Column names, with units.
    rows : tuple of tuples of str
        Formatted cells.
    words : bool
        Whether the cells are words, which are aligned to the left, rather than numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False


@dataclass(frozen=True)
class Summary:
    """Content of a representation.

    Attributes
    ----------
    title : str
        Title, in one line.
    items : tuple of pairs of str
        Names and values, with units.
    table : Table or None
        Table shown after the items.
    strip : tuple of pairs of str
        States and their status: done, now, failed or open.
    """

    title: str
    items: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    strip: tuple[tuple[str, str], ...] = field(default=())


def number(value: float) -> str:
    """Format a number with three significant digits, from 1000 to 1e6 without decimals, and NaN as a dash."""
    if value != value:
        return "–"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def force_error(error: float | None, rms: float | None) -> str:
    """Format a force error beside the root mean square of the forces, since the error alone says little.

    Parameters
    ----------
    error
        meV/Å, per component; None or NaN if it is unknown.
    rms
        Root mean square of the force components, meV/Å; None or NaN if it is unknown.

    Examples
    --------
    >>> force_error(5.3, 883.0), force_error(5.3, None), force_error(None, 883.0)
    ("5.3 meV/Å (0.6% of the forces' rms)", '5.3 meV/Å', '–')
    """
    if error is None or error != error:
        return "–"
    share = force_share(error, rms)
    return f"{number(error)} meV/Å" + (f" ({share} of the forces' rms)" if share else "")


def force_share(error: float | None, rms: float | None) -> str:
    """Format a force error relative to the root mean square of the forces; empty if one of them is unknown or zero.

    Examples
    --------
    >>> force_share(5.3, 883.0), force_share(5.3, 0.0)
    ('0.6%', '')
    """
    if error is None or rms is None or error != error or not rms > 0:
        return ""
    return f"{error / rms:.1%}" if error < rms else f"{error / rms:.0%}"


def observable(name: str) -> tuple[str, str]:
    """Split an observable's name into quantity and unit.

    Parameters
    ----------
    name
        Name as engines record it, e.g. ``potential_energy_eV``.

    Returns
    -------
    tuple of str
        E.g. ``("potential energy", "eV")``; the unit is empty if the name does not end in a unit of `UNITS`.
    """
    quantity, _, unit = name.rpartition("_")
    if unit not in UNITS:
        return name.replace("_", " "), ""
    return quantity.replace("_", " "), UNITS[unit]


def counted(count: int, noun: str) -> str:
    """Format a count with its noun, with a plural "s" unless the count is 1."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
