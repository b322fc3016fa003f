"""What selection gives."""

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

SHOWN = 3
"""Of a list that may be long."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Selection(Record):
    """Which candidates are to be labelled, and why.

    Attributes
    ----------
    candidates : Candidates
        What was chosen from.
    selected : tuple of int
        In the order of choice; the anchor first.
    reserve : tuple of int
        The others, best first: what takes the place of one that cannot be labelled.
    gains : ndarray, shape (n_candidates,)
        Growth of ``ln |det|`` of the active set that each brings: when it was chosen for selected ones,
        after all of these for the others. NaN where there is no active set yet.
    environments : tuple of tuples of int, or of None
        The atoms of each candidate whose environments would enter the active set with that gain; None where there
        is no gain.
    allowed : int
        How many were to be chosen: ``n_select``, or what was left of ``max_labels``.
    by_hand : bool
        Whether a person chose, with `Campaign.choose`.
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
        """Return what the record says of itself."""
        made = self.candidates
        rows = tuple(
            (
                str(index),
                made.origins[index],
                number(made.gamma_max[index]),
                number(self.gains[index]),
                self._brings(index),
                self.reason(index),
            )
            for index in (*self.selected, *self.reserve)
        )
        header = ("candidate", "made by", "largest gamma", "gain in ln|det|", "new environments", "selected")
        table = Table(header, rows)
        return Summary(f"Selected {len(self.selected)} of {len(made.structures)} candidates", (), table)

    def reason(self, index: int) -> str:
        """Say in a few words why a candidate was taken, or why it was not.

        Parameters
        ----------
        index
            Its number.
        """
        if self.by_hand and index in (*self.selected, *self.reserve):
            return f"yes ({self.selected.index(index) + 1}): by hand" if index in self.selected else "no: by hand"
        if index in self.selected:
            place = self.selected.index(index) + 1
            if index == 0 and self.candidates.halt_number:
                return f"yes ({place}): the anchor always is"
            gain = "" if np.isnan(self.gains[index]) else ": the largest gain after those before it"
            return f"yes ({place}){gain}"
        if index not in self.reserve:
            return "no: labelled or refused in an earlier round"
        if np.isnan(self.gains[index]):
            return f"no: {self.allowed} asked for, a reserve"
        if not self.environments[index]:
            return "no: nothing that the selected ones have not"
        return f"no: {self.allowed} allowed, others gained more"

    def _brings(self, index: int) -> str:
        atoms = self.environments[index]
        if atoms is None:
            return "–"
        symbols = self.candidates.structures[index].symbols
        return ", ".join(f"{count} {element}" for element, count in Counter(symbols[list(atoms)]).items()) or "none"

    def figure(self, shown: int | None = None) -> Picture:
        """Draw the candidates in the plane of their leading projections, the selected ones marked.

        Parameters
        ----------
        shown
            A candidate to be pointed out.
        """
        return draw(self, shown)

    def structure_figure(self, candidate: int) -> Picture:
        """Draw one candidate, coloured by gamma, from the same side as all others.

        Parameters
        ----------
        candidate
            Its number.

        Raises
        ------
        StructureError
            If there is no such candidate, or its gamma is not known.
        """
        return draw(self, candidate, kind="structure")

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Look into the candidates: the chosen one's structure, its row, and its point in the plane.

        Parameters
        ----------
        viewer
            Makes what draws atoms; nglview's if None.

        Returns
        -------
        CandidatesView or CandidatesTwin
            A widget in a notebook that somebody watches; a table and pictures elsewhere.
        """
        return show(self, viewer)
