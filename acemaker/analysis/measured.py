"""What one calculator says of one property, as plain data that a file keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.utils.atomic_write import write_whole


class LeftOut(Exception):  # noqa: N818  # no error: it becomes a line of the table
    """A property that cannot be measured here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number.

    Attributes
    ----------
    name, unit : str
        What it is; an empty unit where it has none.
    value : float
        The number.
    error : float
        Its statistical uncertainty, in the same unit; 0 where there is none.
    """

    name: str
    unit: str
    value: float
    error: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A property by one calculator.

    Attributes
    ----------
    values : tuple of Value
        Numbers for the table.
    curves : dict
        Lists of numbers for figures, and for the properties that build on this one.
    """

    values: tuple[Value, ...]
    curves: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        described = {"values": [vars(one) for one in self.values], "curves": self.curves}
        write_whole(path, json.dumps(described, default=plain) + "\n")

    @classmethod
    def load(cls, path: Path) -> Measured | None:
        """Read a file; None where there is none that can be read."""
        try:
            described = json.loads(path.read_text())
            return cls(values=tuple(Value(**one) for one in described["values"]), curves=described["curves"])
        except (OSError, ValueError, TypeError, KeyError):
            return None


def plain(value: Any) -> Any:
    """Turn arrays into lists, for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
