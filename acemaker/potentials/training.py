"""The result of training: a new generation with its errors, or the reason for its rejection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, force_error, force_share, number
from acemaker.potentials.generation import Generation
from acemaker.potentials.guard import Comparison
from acemaker.potentials.linear import FitErrors
from acemaker.potentials.optimizer import OptimizerOutcome
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Training(Record):
    """A new generation, accepted or rejected.

    Attributes
    ----------
    generation : Generation
        The new generation; the campaign uses it only if `accepted`.
    accepted : bool
        Whether the guard accepted the generation.
    reason : str
        Reason for the rejection; empty if the generation was accepted.
    n_structures : int
        Number of labeled structures in the fit.
    train_errors : FitErrors
        Training errors.
    cv_errors : FitErrors or None
        Errors in cross-validation; None with a single structure, and for non-linear fits.
    comparison : Comparison
        Comparison with the previous generation on the structures in both training sets; NaN for the first generation.
        For a non-linear fit, the comparison of the linear fits to the same labels.
    halted_gamma : float
        Largest gamma of the halted structure under the new active set.
    energies : ndarray, shape (n_new, 2)
        Label and prediction of the new structures whose energy counts, eV/atom.
    forces : ndarray, shape (3 n_atoms_new, 2)
        Label and prediction for the unmasked atoms of the new structures, eV/Å.
    optimizer : OptimizerOutcome or None
        Outcome of a non-linear fit; None for linear fits and if no fit was started.
    known : Comparison or None
        Training errors of a non-linear fit and of the previous generation on the structures in both training sets.
    unseen_errors : FitErrors or None
        Errors of the previous generation on the new labels, on which it was not trained; None for linear fits.
    is_probe : bool
        Whether the new label is a probe, without which the run goes on with the previous generation.
    """

    generation: Generation
    accepted: bool
    reason: str
    n_structures: int
    train_errors: FitErrors
    cv_errors: FitErrors | None
    comparison: Comparison
    halted_gamma: float
    energies: np.ndarray
    forces: np.ndarray
    optimizer: OptimizerOutcome | None = None
    known: Comparison | None = None
    unseen_errors: FitErrors | None = None
    is_probe: bool = False

    @property
    def next(self) -> State:
        """``RESUME``; ``EXPLORE`` after the first generation; ``SELECT`` after a rejected fit, but not of a probe."""
        if not self.accepted:
            return State.RESUME if self.is_probe else State.SELECT
        return State.EXPLORE if self.generation.number == 1 else State.RESUME

    def headline(self) -> str:
        """Return number, outcome and error of the generation in one line."""
        rms = self.generation.force_rms
        cv = "no cross-validation yet"
        if self.cv_errors is not None:
            cv = f"{force_error(self.cv_errors.forces, rms)} held out"
        if self.known is not None:
            cv = f"{force_error(self.train_errors.forces, rms)} in training"
        outcome = "" if self.accepted else "rejected, "
        return f"Generation {self.generation.number}: {outcome}{counted(self.n_structures, 'label')}, {cv}"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        rows = [("training", self.train_errors)]
        if self.cv_errors is not None:
            rows.append(("cross-validation", self.cv_errors))
        if self.unseen_errors is not None:
            rows.append(("new labels, before the fit", self.unseen_errors))
        rms = self.generation.force_rms
        table = Table(
            ("errors", "energy / (meV/atom)", "forces / (meV/Å)", "of the forces' rms", "virial / (meV/atom)"),
            tuple(
                (name, number(e.energy), number(e.forces), force_share(e.forces, rms) or "–", number(e.virial))
                for name, e in rows
            ),
        )
        items = [
            ("guard", "accepted" if self.accepted else f"rejected: {self.reason}"),
            ("labels", str(self.n_structures)),
            ("files", self.generation.name + ".yaml, .yace, .asi, .in" if self.accepted else "none written"),
        ]
        if self.accepted:
            items.append(("short range", self.generation.short_range))
        if self.generation.basis_choice is not None and self.generation.number == 1:
            items.append(("basis", f"{self.generation.basis_choice.best}: {self.generation.basis_choice.reason}"))
        if self.generation.ridge is not None:
            items.append(("ridge penalty", str(self.generation.ridge)))
        if self.optimizer is not None:
            items.append(("optimizer", str(self.optimizer)))
        if self.generation.number > 1:
            items.append(("halted structure's largest gamma", number(self.halted_gamma)))
            method = "" if self.known is None else " from a linear fit"
            items.append((f"known structures, held out{method}", _compared(self.comparison, "fold")))
            if self.known is not None:
                items.append(("known structures, in training", _compared(self.known, "structure")))
        return Summary(f"Generation {self.generation.number}", tuple(items), table)

    def figure(self) -> Picture:
        """Draw predictions against labels of the new structures."""
        return draw(self)


def _compared(comparison: Comparison, part: str) -> str:
    return (
        f"{number(comparison.before)} meV/Å before, {number(comparison.after)} now; "
        f"median ratio per {part}: {number(comparison.ratio)}"
    )
