"""What a diagnosis gives."""

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
    from acemaker.potentials.explanation import Carrier
    from acemaker.results.picked import Picked
    from acemaker.structures.bonds import Bond


SHOWN = 3
"""Of a list that may be long."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Diagnosis(Record):
    """Why the run halted, and around what candidates are to be made.

    Attributes
    ----------
    halt : Halt
        What was diagnosed.
    structure : Atoms
        The anchor: the halted structure, or the last physical one before it.
    epicentre : ndarray of int, shape (n_epicentre,)
        Atoms whose gamma exceeds ``threshold_add_train``, worst first.
    distances : ndarray, shape (n_epicentre,)
        Å, to the nearest neighbour of each.
    since : ndarray of int, shape (n_epicentre,)
        Step from which each has been beyond that threshold, as far as checks before the halt are kept.
    trained_distance : float
        Å, the smallest pair distance in the training set.
    outside : tuple of Bond
        Distances around the epicentre that the training set does not hold, the farthest outside first.
    carriers : tuple of Carrier
        Basis functions and their parts in the worst atom's gamma, the largest first.
    note : str
        Empty, or what was unusual.
    known : bool
        Whether labels of another walker's halt have made the anchor known already, so that it needs none.
    """

    halt: Halt
    structure: Atoms
    epicentre: np.ndarray
    distances: np.ndarray
    since: np.ndarray
    trained_distance: float
    outside: tuple[Bond, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    note: str = ""
    known: bool = False

    @property
    def next(self) -> State:
        """``GENERATE``, or ``RESUME`` where it is known already."""
        return State.RESUME if self.known else State.GENERATE

    def headline(self) -> str:
        """Say it in one line."""
        return f"Diagnosis: {len(self.epicentre)} of {len(self.structure)} atoms in the epicentre"

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        shown = self.epicentre[:5]
        gamma = self.structure.arrays["gamma"]
        rows = tuple(
            (str(atom), self.structure.symbols[atom], number(gamma[atom]), str(since), f"{distance:.3f}")
            for atom, since, distance in zip(shown, self.since, self.distances, strict=False)
        )
        short = int((self.distances < self.trained_distance).sum())
        elements = Counter(self.structure.symbols[atom] for atom in self.epicentre)
        among = ", ".join(f"{count} {element}" for element, count in elements.most_common())
        first = f"; the first of them since step {self.since.min()}" if len(self.since) else ""
        items = [
            ("epicentre", f"{len(self.epicentre)} of {len(self.structure)} atoms ({among or 'none'}){first}"),
            ("closer than any trained pair", f"{short} of them (training: {self.trained_distance:.3f} Å)"),
            ("distances outside the training", _some(self.outside) or "none: it is how the neighbours are arranged"),
        ]
        if self.carriers and len(self.epicentre):
            parts = self.parts_by_body_order()
            by_order = ", ".join(f"{part:+.2g} from {order}-body" for order, part in parts.items())
            items.append((f"gamma of atom {self.epicentre[0]}", f"{by_order} functions"))
            items.append(("most from", "; ".join(str(carrier) for carrier in self.carriers[:SHOWN])))
        if self.note:
            items.append(("note", self.note))
        if self.known:
            items.append(("known", "the labels of another walker's halt have made it known; it needs none of its own"))
        table = Table(("atom", "element", "gamma", "since step", "nearest neighbour / Å"), rows)
        return Summary(f"Diagnosis of halt {self.halt.number}", tuple(items), table)

    def parts_by_body_order(self) -> dict[int, float]:
        """Add up the functions' parts in the worst atom's gamma by the number of atoms that they take together."""
        parts: dict[int, float] = {}
        for carrier in sorted(self.carriers, key=lambda one: one.body_order):
            parts[carrier.body_order] = parts.get(carrier.body_order, 0.0) + carrier.part
        return parts

    def figure(self) -> Picture:
        """Draw the anchor coloured by gamma, the epicentre ringed."""
        return draw(self)

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Look into the halt, beginning with the anchor: see `Halt.view`.

        Parameters
        ----------
        viewer
            Makes what draws; nglview's if None.

        Returns
        -------
        HaltView or Picture
        """
        return show(self, viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return what a viewer needs: frames, which of them is the anchor, the epicentre and the thresholds."""
        steps = [atoms.info["step"] for atoms in self.halt.frames]
        anchor = steps.index(self.structure.info["step"])
        return self.halt.frames, anchor, self.epicentre, tuple(self.halt.thresholds)

    def atom(self, index: int) -> Picked:
        """Tell gamma, element, neighbours and bond lengths of one atom of the anchor."""
        return pick(self.structure, index, self.epicentre)


def _some(things: Sequence[object]) -> str:
    """List the first few."""
    more = f"; and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return "; ".join(str(thing) for thing in things[:SHOWN]) + more
