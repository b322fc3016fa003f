"""What diagnosis, generation and selection give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.display.summary import Summary, Table, number
from acemaker.results.exploration import Halt
from acemaker.results.record import Record
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.display.candidates_view import CandidatesTwin, CandidatesView
    from acemaker.display.picture import Picture
    from acemaker.display.viewer.picked import Picked
    from acemaker.display.viewer.protocol import ViewerFactory
    from acemaker.display.viewer.view import HaltView
    from acemaker.potentials.explanation import Carrier
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

    @property
    def next(self) -> State:
        """``GENERATE``."""
        return State.GENERATE

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
        from acemaker.display.structure import structure_figure

        return structure_figure(self.structure, self.structure.arrays["gamma"], self.epicentre, self.halt.thresholds)

    def view(self, viewer: ViewerFactory | None = None) -> HaltView | Picture:
        """Look into the halt, beginning with the anchor: see `Halt.view`.

        Parameters
        ----------
        viewer
            Makes what draws; nglview's if None.

        Returns
        -------
        HaltView or Picture
        """
        from acemaker.display.viewer.choice import view

        return view(*self.frames_to_view(), viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return what a viewer needs: frames, which of them is the anchor, the epicentre and the thresholds."""
        steps = [atoms.info["step"] for atoms in self.halt.frames]
        anchor = steps.index(self.structure.info["step"])
        return self.halt.frames, anchor, self.epicentre, tuple(self.halt.thresholds)

    def atom(self, index: int) -> Picked:
        """Tell gamma, element, neighbours and bond lengths of one atom of the anchor."""
        from acemaker.display.viewer.picked import pick

        return pick(self.structure, index, self.epicentre)


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
        from acemaker.display.candidates import candidates_figure

        return candidates_figure(self, shown)

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
        from acemaker.display.structure import scene_figure
        from acemaker.display.viewer.candidate_scenes import CandidateScenes

        scenes = CandidateScenes(self.candidates)
        return scene_figure(scenes[candidate], scenes.scale)

    def view(self, viewer: ViewerFactory | None = None) -> CandidatesView | CandidatesTwin:
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
        from acemaker.display.candidates_view import candidates_view

        return candidates_view(self, viewer)


def _some(things: Sequence[object]) -> str:
    """List the first few."""
    more = f"; and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return "; ".join(str(thing) for thing in things[:SHOWN]) + more
