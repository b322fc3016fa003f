"""What was handed out to be labelled, and what of it is missing."""

from __future__ import annotations

from dataclasses import dataclass

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted
from acemaker.results.labels import LabelFailure
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Submission(Record):
    """Labels that are being made; ``campaign.collect()`` takes them in.

    Attributes
    ----------
    halt_number : int
        The halt they belong to; 0 for generation 0.
    where : str
        What makes them.
    done : tuple of int
        Candidates whose labels the campaign has.
    missing : tuple of int
        Candidates whose labels are not there yet.
    notes : tuple of str
        How each of these stands: a job's number, a folder, or what is wrong with what came.
    failures : tuple of LabelFailure
        What could not be labelled, and why.
    """

    halt_number: int
    where: str
    done: tuple[int, ...]
    missing: tuple[int, ...]
    notes: tuple[str, ...]
    failures: tuple[LabelFailure, ...] = ()

    @property
    def next(self) -> State:
        """``LABEL``: the step is not complete."""
        return State.LABEL

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        rows = [(str(candidate), "there", "") for candidate in self.done]
        rows += [(str(candidate), "missing", note) for candidate, note in zip(self.missing, self.notes, strict=True)]
        rows += [(str(failure.candidate), "failed", failure.cause) for failure in self.failures]
        title = f"Labels: {counted(len(self.missing), 'structure')} of {len(self.done) + len(self.missing)} missing"
        table = Table(("candidate", "label", "note"), tuple(rows), words=True)
        return Summary(title, (("made by", self.where), ("then", "campaign.collect()")), table)
