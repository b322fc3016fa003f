"""Groups of atoms by element, index or region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from acemaker.config.base import Section

Range = tuple[float | None, float | None]


class GroupConfig(Section):
    """Atoms of the initial structure; they must meet all conditions that are set.

    Examples
    --------
    >>> from acemaker.config import GroupConfig
    >>> GroupConfig(elements="O", z=(None, 4.5)).z
    (None, 4.5)
    """

    elements: tuple[str, ...] = Field((), description="Chemical symbols; empty for all elements.")
    indices: tuple[NonNegativeInt, ...] = Field(
        (), description="Numbers of atoms, counted from 0, or ranges such as '0:16' (without 16); empty for all atoms."
    )
    x: Range | None = Field(None, description="Lowest and highest Cartesian coordinate x in Å; None for no limit.")
    y: Range | None = Field(None, description="Lowest and highest coordinate y in Å; None for no limit.")
    z: Range | None = Field(None, description="Lowest and highest coordinate z in Å; None for no limit.")

    @property
    def conditions(self) -> dict[str, Any]:
        """The conditions that are set, by their names."""
        return {name: value for name, value in self.model_dump().items() if value not in (None, ())}

    @field_validator("elements", mode="before")
    @classmethod
    def _symbols(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from ase.data import atomic_numbers

        if unknown := [symbol for symbol in value if not atomic_numbers.get(symbol, 0)]:
            raise ValueError(f"elements must be chemical symbols, got {', '.join(unknown)}")
        return value

    @field_validator("indices", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """Accept a single number or range, and ranges among the numbers."""
        if isinstance(value, bool | float) or value is None:
            raise ValueError("indices must be whole numbers from 0, or ranges such as '0:16'")
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(dict.fromkeys(number for item in items for number in _range(item)))

    @model_validator(mode="after")
    def _is_sound(self) -> GroupConfig:
        if not self.conditions:
            raise ValueError("expected at least one of elements, indices, x, y and z, got none of them")
        for axis in "xyz":
            low, high = getattr(self, axis) or (None, None)
            if low is not None and high is not None and low > high:
                raise ValueError(f"{axis} must be the lowest and the highest coordinate, got ({low:g}, {high:g})")
        return self


MOST_INDICES = 1_000_000
"""Largest index of an atom; larger ones are treated as typing errors."""


def _range(item: object) -> Iterable[Any]:
    """Return the numbers of a range of indices as text, or the item itself."""
    if not isinstance(item, str):
        return (item,)
    first, colon, end = item.partition(":")
    try:
        numbers = range(int(first or 0), int(end)) if colon else range(int(first), int(first) + 1)
    except ValueError:
        raise ValueError(f"expected a whole number, or a range such as '0:16', got {item!r}") from None
    if not numbers or numbers.start < 0 or numbers.stop > MOST_INDICES:
        raise ValueError(f"the range {item!r} contains no atoms, or too many; expected e.g. '0:16'")
    return numbers
