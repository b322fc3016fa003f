"""The result of DIAGNOSE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from acemaker.formatting.figures import Picture, draw, show
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.results.exploration import Halt
from acemaker.results.picked import Picked, pick
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.potentials.explanation import GammaContribution
    from acemaker.structures.bonds import Bond


MAX_LISTED = 3
"""Maximum number of items of a list in a summary."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Diagnosis(Record):
    """The cause of a halt, and the atoms around which candidates are generated.

    Attributes
    ----------
    halt : Halt
        The halt.
    structure : Atoms
        The structure to label: the halted one, or the last physical one before it.
    epicenter : ndarray of int, shape (n_epicenter,)
        Atoms whose gamma exceeds ``threshold_add_train``, largest gamma first.
    distances : ndarray, shape (n_epicenter,)
        Å, distance of each to its nearest neighbor.
    since : ndarray of int, shape (n_epicenter,)
        Step from which each atom exceeds that threshold, within the stored frames before the halt.
    trained_distance : float
        Å, the smallest pair distance in the training set.
    outside : tuple of Bond
        Distances around the epicenter that do not occur in the training set, the largest deviation first.
    contributions : tuple of GammaContribution
        Contributions of basis functions to the largest gamma, the largest contribution first.
    note : str
        Empty, or a remark about an unusual halt.
    known : bool
        Whether gamma of the structure is low by now, due to the labels of another walker's halt, so that no label is
        needed.
    """

    halt: Halt
    structure: Atoms
    epicenter: np.ndarray
    distances: np.ndarray
    since: np.ndarray
    trained_distance: float
    outside: tuple[Bond, ...] = ()
    contributions: tuple[GammaContribution, ...] = ()
    note: str = ""
    known: bool = False

    @property
    def next(self) -> State:
        """``GENERATE``, or ``RESUME`` if no label is needed."""
        return State.RESUME if self.known else State.GENERATE

    def headline(self) -> str:
        """Return a one-line description."""
        return f"Diagnosis: {len(self.epicenter)} of {len(self.structure)} atoms in the epicenter"

    def summary(self) -> Summary:
        """Return the summary."""
        shown = self.epicenter[:5]
        gamma = self.structure.arrays["gamma"]
        rows = tuple(
            (str(atom), self.structure.symbols[atom], number(gamma[atom]), str(since), f"{distance:.3f}")
            for atom, since, distance in zip(shown, self.since, self.distances, strict=False)
        )
        short = int((self.distances < self.trained_distance).sum())
        elements = Counter(self.structure.symbols[atom] for atom in self.epicenter)
        among = ", ".join(f"{count} {element}" for element, count in elements.most_common())
        first = f"; the first of them since step {self.since.min()}" if len(self.since) else ""
        items = [
            ("epicenter", f"{len(self.epicenter)} of {len(self.structure)} atoms ({among or 'none'}){first}"),
            ("closer than any trained pair", f"{short} of them (training: {self.trained_distance:.3f} Å)"),
            (
                "distances outside the training",
                _listed(self.outside) or "none: the neighbors are arranged in a new way",
            ),
        ]
        if self.contributions and len(self.epicenter):
            parts = self.contributions_by_body_order()
            by_order = ", ".join(f"{part:+.2g} from {order}-body" for order, part in parts.items())
            items.append((f"gamma of atom {self.epicenter[0]}", f"{by_order} functions"))
            largest = self.contributions[:MAX_LISTED]
            items.append(("most from", "; ".join(str(contribution) for contribution in largest)))
        if self.note:
            items.append(("note", self.note))
        if self.known:
            reason = "gamma is low due to the labels of another walker's halt; no label is needed"
            items.append(("known", "no label is left for the probe" if self.halt.is_probe else reason))
        table = Table(("atom", "element", "gamma", "since step", "nearest neighbor / Å"), rows)
        return Summary(f"Diagnosis of halt {self.halt.number}", tuple(items), table)

    def contributions_by_body_order(self) -> dict[int, float]:
        """Return the contributions to the largest gamma, summed by the body order of the functions."""
        parts: dict[int, float] = {}
        for contribution in sorted(self.contributions, key=lambda contribution: contribution.body_order):
            parts[contribution.body_order] = parts.get(contribution.body_order, 0.0) + contribution.part
        return parts

    def figure(self) -> Picture:
        """Draw the halted structure colored by gamma, with the epicenter marked."""
        return draw(self)

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Show the frames of the halt, beginning with the diagnosed structure, see `Halt.view`.

        Parameters
        ----------
        viewer
            Factory of the viewer; nglview's if None.

        Returns
        -------
        HaltView or Picture
        """
        return show(self, viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return the arguments of a viewer: frames, index of the diagnosed one, epicenter and thresholds."""
        steps = [atoms.info["step"] for atoms in self.halt.frames]
        halted = steps.index(self.structure.info["step"])
        return self.halt.frames, halted, self.epicenter, tuple(self.halt.thresholds)

    def atom(self, index: int) -> Picked:
        """Return gamma, element, neighbors and bond lengths of one atom of the diagnosed structure."""
        return pick(self.structure, index, self.epicenter)


def _listed(items: Sequence[object]) -> str:
    more = f"; and {len(items) - MAX_LISTED} more" if len(items) > MAX_LISTED else ""
    return "; ".join(str(item) for item in items[:MAX_LISTED]) + more
