"""What generation gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.states import State

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Candidates(Record):
    """Structures made around a halted one; number 0 is the anchor.

    Attributes
    ----------
    halt_number : int
        The halt they belong to; 0 for the first structures of generation 0.
    structures : tuple of Atoms
        The candidates.
    origins : tuple of str
        How each was made.
    gamma_max : ndarray, shape (n_candidates,)
        Largest gamma of each under the current generation; NaN where there is none.
    distance_min : ndarray, shape (n_candidates,)
        Å, smallest pair distance of each.
    map : ndarray, shape (n_candidates, 2)
        Mean B-projections of each in the plane of their two leading principal components, dimensionless.
    gamma : tuple of ndarray, shape (n_atoms,)
        Gamma of each one's atoms; empty where there is no generation, or the trainer does not say.
    thresholds : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break``; empty where they are not known.
    dropped : mapping of str to int
        How many more were made and dropped, by reason.
    embedded : str
        Where the anchor is a small cell cut out of the halted structure: what it is, and what its audit found.
    """

    halt_number: int
    structures: tuple[Atoms, ...]
    origins: tuple[str, ...]
    gamma_max: np.ndarray
    distance_min: np.ndarray
    map: np.ndarray
    gamma: tuple[np.ndarray, ...] = ()
    thresholds: tuple[float, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    embedded: str = ""

    @property
    def next(self) -> State:
        """``SELECT``."""
        return State.SELECT

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        kinds = {origin: self.origins.count(origin) for origin in self.origins}
        items = [
            ("made by", ", ".join(f"{count} {origin}" for origin, count in kinds.items())),
            ("largest gamma", f"{number(self.gamma_max.min())} to {number(self.gamma_max.max())}"),
            ("smallest pair distance", f"{self.distance_min.min():.3f} to {self.distance_min.max():.3f} Å"),
        ]
        if self.dropped:
            items.append(("dropped", ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())))
        if self.embedded:
            items.append(("anchor", self.embedded))
        where = f"around halt {self.halt_number}" if self.halt_number else "for generation 0"
        return Summary(f"{len(self.structures)} candidates {where}", tuple(items))
