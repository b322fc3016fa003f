"""What training gives: a new generation with its errors, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.potentials.generation import Generation
from acemaker.potentials.guard import Comparison
from acemaker.potentials.linear import FitErrors
from acemaker.potentials.optimizer import OptimiserVerdict
from acemaker.states import State


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
        return draw(self)


def _compared(comparison: Comparison, part: str) -> str:
    return (
        f"{number(comparison.before)} meV/Å before, {number(comparison.after)} now; "
        f"ratio of the two, {part} by {part}: {number(comparison.ratio)} in the median"
    )
