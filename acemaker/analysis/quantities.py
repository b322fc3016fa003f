"""What the potential says of physics, beside what the oracle says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number by both.

    Attributes
    ----------
    name, unit : str
        What it is; an empty unit where it has none.
    potential, oracle : float
        The numbers.
    potential_error, oracle_error : float
        Their statistical uncertainties, in the same unit; 0 where there are none.
    """

    name: str
    unit: str
    potential: float
    oracle: float
    potential_error: float = 0.0
    oracle_error: float = 0.0

    @property
    def difference(self) -> float:
        """Potential minus oracle."""
        return self.potential - self.oracle

    @property
    def relative(self) -> float:
        """The difference in units of the oracle's number, dimensionless; NaN if that is zero."""
        return self.difference / abs(self.oracle) if self.oracle else math.nan

    @property
    def within_noise(self) -> bool:
        """Whether the difference is below twice its statistical uncertainty."""
        return abs(self.difference) < 2 * math.hypot(self.potential_error, self.oracle_error)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Physics(Record):
    """A potential's physics against the oracle's.

    Attributes
    ----------
    generation : int
        The potential.
    quantities : tuple of Quantity
        What both were asked for.
    left_out : tuple of pairs of str
        Properties that were not measured, and why.
    curves : dict
        By property, then "potential" and "oracle": lists of numbers for the figure.
    calls : int
        Of the oracle, that were made for it; 0 if all was known already.
    """

    generation: int
    quantities: tuple[Quantity, ...]
    left_out: tuple[tuple[str, str], ...]
    curves: Mapping[str, Mapping[str, Mapping[str, Any]]]
    calls: int

    @property
    def worst(self) -> Quantity | None:
        """The largest relative difference that is more than noise; None if there is none."""
        certain = [one for one in self.quantities if not one.within_noise and not math.isnan(one.relative)]
        return max(certain, key=lambda one: abs(one.relative), default=None)

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = tuple(
            (
                one.name + (f" / ({one.unit})" if "/" in one.unit else f" / {one.unit}" if one.unit else ""),
                _shown(one.potential, one.potential_error),
                _shown(one.oracle, one.oracle_error),
                f"{one.difference:+.2g}",
                "–" if math.isnan(one.relative) else f"{one.relative:+.2%}" + (" (noise)" if one.within_noise else ""),
            )
            for one in self.quantities
        )
        items = []
        if self.worst is not None:
            items.append(("largest difference", f"{self.worst.name}, {self.worst.relative:+.2%}"))
        items += [(f"left out: {name.replace('_', ' ')}", why) for name, why in self.left_out]
        table = Table(("quantity", "this potential", "the oracle", "difference", "relative"), rows)
        return Summary(
            f"Physics of generation {self.generation} against the oracle", tuple(items), table if rows else None
        )

    def figure(self) -> Picture:
        """Draw the curves of both, and the relative differences."""
        return draw(self)


def _shown(value: float, error: float) -> str:
    if not error:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error))) if error < 10 else 0
    return f"{value:.{digits}f} ± {error:.{digits}f}"
