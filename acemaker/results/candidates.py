"""The result of GENERATE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Candidates(Record):
    """Structures around a halted one, or the initial structures; number 0 is the halted structure.

    Attributes
    ----------
    halt_number : int or None
        Number of their halt; None for the initial structures.
    structures : tuple of Atoms
        The candidates.
    origins : tuple of str
        Strategy of each candidate.
    gamma_max : ndarray, shape (n_candidates,)
        Largest gamma of each candidate with the current generation; NaN if there is none.
    distance_min : ndarray, shape (n_candidates,)
        Å, smallest pair distance of each candidate.
    map : ndarray, shape (n_candidates, 2)
        Mean B-projections of each candidate in the plane of their two leading principal components, dimensionless.
    gamma : tuple of ndarray, shape (n_atoms,)
        Gamma of the atoms of each candidate; empty if there is no generation, or the trainer does not return it.
    thresholds : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break``; empty if they are unknown.
    dropped : mapping of str to int
        Numbers of dropped candidates by reason.
    embedded : str
        Description and validation of the embedded cell, if candidate 0 is a small cell instead of the halted structure
        itself; else empty.
    """

    halt_number: int | None
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
        """Return the summary."""
        kinds = {origin: self.origins.count(origin) for origin in self.origins}
        items = [
            ("strategies", ", ".join(f"{count} {origin}" for origin, count in kinds.items())),
            ("largest gamma", f"{number(self.gamma_max.min())} to {number(self.gamma_max.max())}"),
            ("smallest pair distance", f"{self.distance_min.min():.3f} to {self.distance_min.max():.3f} Å"),
        ]
        if self.dropped:
            items.append(("dropped", ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())))
        if self.embedded:
            items.append(("halted structure", self.embedded))
        purpose = f"around halt {self.halt_number}" if self.halt_number else "for the first generation"
        return Summary(f"{len(self.structures)} candidates {purpose}", tuple(items))

    def figure(self) -> Picture:
        """Draw the candidates in the plane of their leading projections, colored by their largest gamma."""
        return draw(self)
