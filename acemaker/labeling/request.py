"""Which structures the collector is to have labeled, where their labels are stored, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ase import Atoms

from acemaker.labeling.job import Job, LabelFailure


class LabelSink(Protocol):
    """Where labels are stored, and where it is known which of them exist."""

    def find(self, job: Job) -> Atoms | LabelFailure | None:
        """Return the label of a job as it is stored, the failure recorded for it, or None."""

    def store(self, job: Job, labeled: Atoms) -> Atoms:
        """Store a label, and return it as it is stored.

        Raises
        ------
        OSError
            If it cannot be written.
        """

    def fail(self, job: Job, failure: LabelFailure) -> None:
        """Record that a structure cannot be labeled."""


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """Structures to label.

    Attributes
    ----------
    jobs : sequence of Job
        The job of each candidate, by its number.
    selected : tuple of int
        Candidates to label, in the order of choice.
    reserve : tuple of int
        The other ones, best first, which replace selected ones that fail.
    needed : int
        Minimum number of labels.
    max_retries : int
        Further tries per structure; none after a failure that another try would repeat.
    max_force : float
        eV/Å; a label with a larger force is rejected.
    optional : tuple of int
        Further jobs, which are handed out first and whose labels are stored, but not returned. The labels of the others
        do not depend on their success.
    needs_stress : bool
        Whether the labels of periodic structures, other than parts of larger ones, must contain a stress.
    accepts_none : bool
        Whether all of them may lack it nevertheless, but not some of them, and not because of an error.
    """

    jobs: Sequence[Job]
    selected: tuple[int, ...]
    reserve: tuple[int, ...]
    needed: int
    max_retries: int
    max_force: float
    optional: tuple[int, ...] = ()
    needs_stress: bool = False
    accepts_none: bool = False


@dataclass(frozen=True, kw_only=True)
class CollectedLabel:
    """A label that has just been stored, for progress reports.

    Attributes
    ----------
    number, total : int
        Labels so far, and labels in the end.
    candidate : int
        Number of the structure among the candidates.
    seconds : float
        Time to compute it.
    """

    number: int
    total: int
    candidate: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Labels and failures so far.

    Attributes
    ----------
    where : str
        Name of the backend.
    labels : dict of int to Atoms
        Labels by candidate, in the order of the selection and not in that of their arrival.
    missing : tuple of int
        Candidates whose labels are not there yet.
    notes : tuple of str
        State of each of these: number of the job, folder, or what is wrong with a result.
    failures : tuple of LabelFailure
        Structures that cannot be labeled.
    """

    where: str
    labels: dict[int, Atoms]
    missing: tuple[int, ...]
    notes: tuple[str, ...]
    failures: tuple[LabelFailure, ...]
