"""What labelling, training and resuming give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms

from acemaker.display.summary import Summary, Table, counted, number
from acemaker.oracles.checks import pressure_remark
from acemaker.results.record import Record
from acemaker.states import State
from acemaker.structures.computed import energy_of, forces_of

if TYPE_CHECKING:
    from acemaker.display.picture import Picture
    from acemaker.potentials.generation import Generation
    from acemaker.potentials.guard import Comparison
    from acemaker.potentials.linear import FitErrors
    from acemaker.results.optimiser import OptimiserVerdict


@dataclass(frozen=True, kw_only=True)
class LabelFailure:
    """A structure that could not be labelled.

    Attributes
    ----------
    candidate : int
        Its number among the candidates.
    attempts : int
        How often it was tried.
    cause : str
        What the oracle said, or what was wrong with its answer.
    """

    candidate: int
    attempts: int
    cause: str


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Labels(Record):
    """Structures with the oracle's energy, forces and, where it gives them, stress.

    Attributes
    ----------
    halt_number : int
        The halt they belong to; 0 for generation 0.
    candidates : tuple of int
        Their numbers among the candidates.
    structures : tuple of Atoms
        With results: eV, eV/Å, eV/Å^3.
    failures : tuple of LabelFailure
        What could not be labelled, and why.
    """

    halt_number: int
    candidates: tuple[int, ...]
    structures: tuple[Atoms, ...]
    failures: tuple[LabelFailure, ...] = ()

    @property
    def next(self) -> State:
        """``TRAIN``."""
        return State.TRAIN

    @property
    def remark(self) -> str:
        """What is odd about the first labels; empty for others, and if nothing is."""
        return "" if self.halt_number else pressure_remark(self.structures)

    def headline(self) -> str:
        """Say it in one line."""
        title = self.summary().title
        return f"{title}; {self.remark}" if self.remark else title

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = tuple(
            (
                str(index),
                atoms.get_chemical_formula(),
                f"{energy_of(atoms) / len(atoms):.4f}",
                number(float(np.abs(forces_of(atoms)).max())),
            )
            for index, atoms in zip(self.candidates, self.structures, strict=True)
        )
        failed = tuple(
            (f"candidate {failure.candidate} failed", f"{failure.cause} ({failure.attempts} tries)")
            for failure in self.failures
        )
        table = Table(("candidate", "structure", "energy / (eV/atom)", "largest force / (eV/Å)"), rows)
        odd = (("odd", self.remark),) if self.remark else ()
        return Summary(f"Labels: {counted(len(self.structures), 'structure')}", (*odd, *failed), table)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Training(Record):
    """A new generation, or why there is none.

    Attributes
    ----------
    generation : Generation
        What was trained; the campaign goes on with it only if `accepted`.
    accepted : bool
        The guard's verdict.
    reason : str
        Why it was rejected; empty if it was not.
    n_structures : int
        Labelled structures in the fit.
    train_errors : FitErrors
        Errors on these.
    cv_errors : FitErrors or None
        Errors in cross-validation; None with a single structure, and for non-linear fits.
    comparison : Comparison
        With the generation before, on the structures that both know; NaN for generation 0. Of a non-linear fit it is
        that of the linear fit beside it.
    anchor_gamma : float
        Largest gamma of the anchor under the new active set.
    energies : ndarray, shape (n_new, 2)
        Label and prediction of the new structures, eV/atom; without those whose energy does not count.
    forces : ndarray, shape (3 n_atoms_new, 2)
        Label and prediction, eV/Å; of the atoms that count.
    optimiser : OptimiserVerdict or None
        How a non-linear fit ended; None for linear ones, and where none was tried.
    known : Comparison or None
        Training errors of a non-linear fit and of the generation before, on the structures that both know.
    unseen_errors : FitErrors or None
        Errors of the generation before on the new labels, which it had not seen; None for linear fits.
    """

    generation: Generation
    accepted: bool
    reason: str
    n_structures: int
    train_errors: FitErrors
    cv_errors: FitErrors | None
    comparison: Comparison
    anchor_gamma: float
    energies: np.ndarray
    forces: np.ndarray
    optimiser: OptimiserVerdict | None = None
    known: Comparison | None = None
    unseen_errors: FitErrors | None = None

    @property
    def next(self) -> State:
        """``RESUME``; ``EXPLORE`` after generation 0; ``SELECT`` after a rejected fit."""
        if not self.accepted:
            return State.SELECT
        return State.EXPLORE if self.generation.number == 0 else State.RESUME

    def headline(self) -> str:
        """Say it in one line."""
        cv = "no cross-validation yet" if self.cv_errors is None else f"{number(self.cv_errors.forces)} meV/Å held out"
        if self.known is not None:
            cv = f"{number(self.train_errors.forces)} meV/Å in training"
        verdict = "" if self.accepted else "rejected, "
        return f"Generation {self.generation.number}: {verdict}{counted(self.n_structures, 'label')}, {cv}"

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = [("training", self.train_errors)]
        if self.cv_errors is not None:
            rows.append(("cross-validation", self.cv_errors))
        if self.unseen_errors is not None:
            rows.append(("new labels, before the fit", self.unseen_errors))
        table = Table(
            ("errors", "energy / (meV/atom)", "forces / (meV/Å)", "virial / (meV/atom)"),
            tuple((name, number(e.energy), number(e.forces), number(e.virial)) for name, e in rows),
        )
        items = [
            ("verdict", "accepted" if self.accepted else f"rejected: {self.reason}"),
            ("labels", str(self.n_structures)),
            ("files", self.generation.name + ".yaml, .yace, .asi, .in" if self.accepted else "none written"),
        ]
        if self.optimiser is not None:
            items.append(("optimiser", str(self.optimiser)))
        if self.generation.number:
            items.append(("anchor's largest gamma", number(self.anchor_gamma)))
            beside = "" if self.known is None else " from a linear fit"
            items.append((f"known structures, held out{beside}", _compared(self.comparison, "fold")))
            if self.known is not None:
                items.append(("known structures, in training", _compared(self.known, "structure")))
        return Summary(f"Generation {self.generation.number}", tuple(items), table)

    def figure(self) -> Picture:
        """Draw the parity of the new structures."""
        from acemaker.display.parity import parity_figure

        return parity_figure(self)


def _compared(comparison: Comparison, part: str) -> str:
    return (
        f"{number(comparison.before)} meV/Å before, {number(comparison.after)} now; "
        f"ratio of the two, {part} by {part}: {number(comparison.ratio)} in the median"
    )


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Resumption(Record):
    """From where the trajectory goes on, and what the new generation changes there.

    Attributes
    ----------
    mode : {"safe", "halt", "structure"}
        The last safe state, the halt, or a frame without the state of thermostat and barostat.
    step : int
        Where the next segment starts.
    checkpoint : Path or None
        Its restart file; None for the start of the campaign, and for a frame.
    discarded_steps : int
        Steps between there and the halt, which are run again.
    generation : int
        The potential that goes on.
    energy_jump : float
        meV/atom, new minus old generation on the anchor.
    force_change : float
        eV/Å, largest change of a force on the anchor.
    next : State
        ``EXPLORE``; ``HALT`` where another walker's halt is healed first.
    """

    mode: Literal["safe", "halt", "structure"]
    step: int
    checkpoint: Path | None
    discarded_steps: int
    generation: int
    energy_jump: float
    force_change: float
    next: State = State.EXPLORE

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        start = {"safe": "the last safe state", "halt": "the halt", "structure": "positions and velocities alone"}
        return Summary(
            f"Resume at step {self.step} with generation {self.generation}",
            (
                ("from", f"{start[self.mode]}; {self.discarded_steps} steps are run again"),
                ("energy jump on the anchor", f"{number(self.energy_jump)} meV/atom"),
                ("largest force change", f"{number(self.force_change)} eV/Å"),
            ),
        )
