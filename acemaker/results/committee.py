"""The result of training a committee."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted, number


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Committee(Record):
    """Models that were trained on the labels of a campaign, whose disagreement is a measure of uncertainty.

    Attributes
    ----------
    number : int
        Number of the committee, from 1.
    trainer : str
        ``"mace"``, or the path of the trainer.
    n_labels : int
        Number of labels.
    files : tuple of Path
        The models.
    errors : tuple of float
        Root mean square error of the force components of each model on the labels, meV/Å.
    spread : float
        Root mean square of the disagreement on the atoms of the labels, meV/Å.
    """

    number: int
    trainer: str
    n_labels: int
    files: tuple[Path, ...]
    errors: tuple[float, ...]
    spread: float

    def headline(self) -> str:
        """Return number and errors in one line."""
        errors = ", ".join(number(error) for error in self.errors)
        return f"Committee {self.number}: {counted(self.n_labels, 'label')}, {errors} meV/Å on them"

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        return Summary(
            self.headline(),
            (
                ("models", f"{len(self.files)}, by {self.trainer}"),
                ("force errors on the labels", ", ".join(f"{number(error)} meV/Å" for error in self.errors)),
                ("disagreement on the labels", f"{number(self.spread)} meV/Å"),
                ("files", str(self.files[0].parent)),
            ),
        )
