"""The result of SELECT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from acemaker.formatting.figures import Picture, draw, show
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.results.candidates import Candidates
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Selection(Record):
    """The candidates to label, with the reasons.

    Attributes
    ----------
    candidates : Candidates
        All candidates.
    selected : tuple of int
        Selected candidates in the order of choice; the halted structure first.
    reserve : tuple of int
        The others, best first, which replace candidates that cannot be labeled.
    gains : ndarray, shape (n_candidates,)
        Increase of ``ln |det|`` of the active set by each candidate: by selected ones when they were chosen, by the
        others after all of these. NaN if there is no active set yet.
    environments : tuple of tuples of int, or of None
        The atoms of each candidate whose environments would enter the active set with that gain; None if there is no
        gain.
    allowed : int
        Number of candidates to select: ``n_select``, or what was left of ``max_labels``.
    by_hand : bool
        Whether the user chose, with `Campaign.choose`.
    """

    candidates: Candidates
    selected: tuple[int, ...]
    reserve: tuple[int, ...]
    gains: np.ndarray
    environments: tuple[tuple[int, ...] | None, ...]
    allowed: int
    by_hand: bool = False

    @property
    def next(self) -> State:
        """``LABEL``."""
        return State.LABEL

    def summary(self) -> Summary:
        """Return the summary."""
        candidates = self.candidates
        rows = tuple(
            (
                str(index),
                candidates.origins[index],
                number(candidates.gamma_max[index]),
                number(self.gains[index]),
                self._entering(index),
                self.reason(index),
            )
            for index in (*self.selected, *self.reserve)
        )
        header = ("candidate", "strategy", "largest gamma", "gain in ln|det|", "new environments", "selected")
        table = Table(header, rows)
        return Summary(f"Selected {len(self.selected)} of {len(candidates.structures)} candidates", (), table)

    def reason(self, index: int) -> str:
        """Return whether a candidate was selected, and the reason.

        Parameters
        ----------
        index
            Number of the candidate.
        """
        if self.by_hand and index in (*self.selected, *self.reserve):
            return f"yes ({self.selected.index(index) + 1}): by hand" if index in self.selected else "no: by hand"
        if index in self.selected:
            position = self.selected.index(index) + 1
            if index == 0 and self.candidates.halt_number:
                return f"yes ({position}): the halted structure is always selected"
            gain = "" if np.isnan(self.gains[index]) else ": the largest gain after the previous ones"
            return f"yes ({position}){gain}"
        if index not in self.reserve:
            return "no: labeled or failed in an earlier round"
        if np.isnan(self.gains[index]):
            return f"no: {self.allowed} requested, in reserve"
        if not self.environments[index]:
            return "no: no environment that the selected ones do not contain"
        return f"no: {self.allowed} allowed, others have a larger gain"

    def _entering(self, index: int) -> str:
        atoms = self.environments[index]
        if atoms is None:
            return "–"
        symbols = self.candidates.structures[index].symbols
        return ", ".join(f"{count} {element}" for element, count in Counter(symbols[list(atoms)]).items()) or "none"

    def figure(self, shown: int | None = None) -> Picture:
        """Draw the candidates in the plane of their leading projections, with the selected ones marked.

        Parameters
        ----------
        shown
            A candidate to highlight.
        """
        return draw(self, shown)

    def structure_figure(self, candidate: int) -> Picture:
        """Draw one candidate, colored by gamma, in the same orientation as all others.

        Parameters
        ----------
        candidate
            Number of the candidate.

        Raises
        ------
        StructureError
            If there is no such candidate, or its gamma is unknown.
        """
        return draw(self, candidate, kind="structure")

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Show the candidates: structure, row and point in the plane of the chosen one.

        Parameters
        ----------
        viewer
            Factory of the viewer; nglview's if None.

        Returns
        -------
        CandidatesView or StaticCandidates
            A widget in a notebook that is open in a browser; a table and pictures elsewhere.
        """
        return show(self, viewer)
