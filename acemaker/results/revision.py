"""The result of changing labels by hand."""

from __future__ import annotations

from dataclasses import dataclass

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, force_error
from acemaker.labeling.job import LabelFailure
from acemaker.potentials.training import Training


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Revision(Record):
    """Labels that were changed by hand, and the potential that was trained on the labels in force.

    Attributes
    ----------
    action : {"added", "removed", "restored", "relabeled"}
        What was done.
    files : tuple of str
        Files of these labels, relative to the campaign's directory.
    n_labels : int
        Number of labels in force.
    failures : tuple of LabelFailure
        Structures that could not be labeled, by their number in the call.
    training : Training or None
        The new generation; None if no label changed.
    reason : str
        Reason for a removal.
    """

    action: str
    files: tuple[str, ...]
    n_labels: int
    failures: tuple[LabelFailure, ...] = ()
    training: Training | None = None
    reason: str = ""

    def headline(self) -> str:
        """Return a one-line description."""
        return self.summary().title

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        items = [("labels in force", str(self.n_labels))]
        if self.reason:
            items.append(("reason", self.reason))
        if self.training is not None:
            generation = self.training.generation
            error = force_error(generation.cv_forces, generation.force_rms)
            items.append(("potential", f"generation {generation.number}, force error, held out: {error}"))
        items += [
            (f"structure {failure.candidate} failed", f"{failure.cause} ({failure.attempts} tries)")
            for failure in self.failures
        ]
        table = Table((self.action,), tuple((file,) for file in self.files), words=True) if self.files else None
        return Summary(f"{counted(len(self.files), 'label')} {self.action}", tuple(items), table)
