"""The result of measuring one property with one calculator, as plain data that is stored in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.utils.atomic_write import write_whole


class NotApplicable(Exception):  # noqa: N818  # not an error: it becomes a line of the table
    """Raised for a property that cannot be measured; the message states the reason."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number.

    Attributes
    ----------
    name, unit : str
        Name and unit; the unit is empty if there is none.
    value : float
        The number.
    error : float
        Its statistical uncertainty, in the same unit; 0 if there is none.
    """

    name: str
    unit: str
    value: float
    error: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A property as measured with one calculator.

    Attributes
    ----------
    values : tuple of Value
        Numbers for the table.
    curves : dict
        Lists of numbers for figures, and for the properties that require this one.
    """

    values: tuple[Value, ...]
    curves: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"values": [vars(value) for value in self.values], "curves": self.curves}
        write_whole(path, json.dumps(content, default=plain) + "\n")

    @classmethod
    def load(cls, path: Path) -> Measured | None:
        """Read a file; return None if there is none that can be read."""
        try:
            content = json.loads(path.read_text())
            return cls(values=tuple(Value(**value) for value in content["values"]), curves=content["curves"])
        except (OSError, ValueError, TypeError, KeyError):
            return None


def plain(value: Any) -> Any:
    """Turn arrays into lists, for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
