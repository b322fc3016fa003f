"""LABEL: have the selected structures labelled, and take the labels in one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ase import Atoms

from acemaker.errors import CampaignError, OracleError
from acemaker.labeling.finished_labels import Outbox
from acemaker.labeling.job import Answer, Job, labelled_by, plain
from acemaker.labeling.plan import walk
from acemaker.labeling.queue import Queue
from acemaker.oracles.checks import check_label
from acemaker.results import LabelFailure, Labels, Selection, Submission
from acemaker.structures.mask import with_mask_of

WAKE = 1.0
"""Seconds between two looks at whether the wait is to be ended."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A label that has come, for whoever watches.

    Attributes
    ----------
    number, total : int
        How many there are, and how many there will be.
    candidate : int
        Whose it is.
    seconds : float
        What it took.
    """

    number: int
    total: int
    candidate: int
    seconds: float


class Labelling:
    """The labels of one selection, on their way.

    They may come in any order: who is asked, and in which order the labels are given out, is as if one were made
    after the other (see `walk`).

    Parameters
    ----------
    selection
        What to label.
    queue
        Where jobs go and answers come from.
    job
        Makes a candidate's job.
    outbox
        Where finished labels may lie already.
    max_retries
        Further tries per structure; none where the same would come of it.
    max_force
        eV/Å; a label with a larger force is taken to be wrong.
    needed
        Labels that must come of it; the reserve steps in where the selected ones fail.
    recall
        Gives the label of a candidate that was paid for already, or None.
    record
        Keeps a label as it comes, and returns it as it is kept.
    record_failure
        Notes a structure that could not be labelled.
    failed
        Failures noted before, which are not tried again.
    on_label
        Called with each label that has come.
    on_wait
        Called every second while labels are waited for; may raise to end the wait.
    """

    def __init__(
        self,
        selection: Selection,
        queue: Queue,
        job: Callable[[int], Job],
        outbox: Outbox,
        *,
        max_retries: int,
        max_force: float,
        needed: int,
        recall: Callable[[int], Atoms | None],
        record: Callable[[int, Atoms], Atoms],
        record_failure: Callable[[LabelFailure], None],
        failed: Mapping[int, LabelFailure],
        on_label: Callable[[Taken], None] = lambda _: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._selection, self._queue, self._job, self._outbox = selection, queue, job, outbox
        self._max_retries, self._max_force, self._needed = max_retries, max_force, needed
        self._recall, self._record, self._record_failure = recall, record, record_failure
        self._noted, self._on_label, self._on_wait = failed, on_label, on_wait
        self._labelled: dict[int, Atoms] = {}
        self._failures: dict[int, LabelFailure] = {}
        self._tries: Counter[int] = Counter()

    @property
    def missing(self) -> list[int]:
        """Candidates whose labels are to come."""
        return [candidate for candidate in self._wanted() if candidate not in self._labelled]

    def label(self) -> Labels:
        """Wait for all labels.

        Raises
        ------
        OracleError
            If fewer structures could be labelled than are needed, or none could: a program is missing, say.
        CampaignError
            If a label cannot be written.
        """
        self.hand_out()
        while self.missing:
            self._on_wait()
            self.take_in(WAKE)
            self.hand_out()
        return self.labels()

    def submit(self) -> None:
        """Hand out all that is missing, and wait for nothing."""
        self.hand_out(for_all=True)

    def collect(self) -> None:
        """Hand out what is missing, and take in what is there."""
        self.submit()
        while self.missing and self.take_in(self._queue.place.patience):
            self.submit()

    def hand_out(self, *, for_all: bool = False) -> None:
        """Give the queue what it has room for, and take in what exists already."""
        settled = False
        while not settled:  # a failure that is known changes who is asked
            settled = all(self._see_to(candidate, for_all) for candidate in self._wanted())

    def take_in(self, timeout: float | None) -> bool:
        """Wait for answers, and keep the labels.

        Returns
        -------
        bool
            Whether there was one.
        """
        return self._keep(self._queue.take(timeout))

    def keep_finished(self) -> None:
        """Keep the labels that are there, before the rest is given up."""
        self._keep(self._queue.finished())

    def save_running(self) -> int:
        """Wait for what is being made, and bring it to safety where it cannot be written.

        Returns
        -------
        int
            Labels that were saved.
        """
        saved = 0
        while self._queue.jobs:
            for job, answer in self._queue.take(WAKE):
                if "message" not in answer:
                    self._outbox.save(job.key, plain(answer))
                    saved += 1
        return saved

    def labels(self) -> Labels:
        """Return the labels, in the order of the selection whatever that of their coming.

        Raises
        ------
        OracleError
            If there are fewer than needed.
        """
        done, failures = self._walk()
        if len(done) < self._needed:
            raise OracleError(
                f"{len(done)} of {len(done) + len(failures)} structures could be labelled, {self._needed} are "
                f"needed; mend the oracle and reopen the campaign, which goes on here:\n{_causes(failures)}"
            )
        return Labels(
            halt_number=self._selection.candidates.halt_number,
            candidates=tuple(done),
            structures=tuple(self._labelled[candidate] for candidate in done),
            failures=tuple(failures),
        )

    def submission(self) -> Submission:
        """Say what is there, and what is missing."""
        place, missing = self._queue.place, self.missing
        return Submission(
            halt_number=self._selection.candidates.halt_number,
            where=place.where,
            done=tuple(candidate for candidate in self._wanted() if candidate in self._labelled),
            missing=tuple(missing),
            notes=tuple(place.note(self._job(candidate)) for candidate in missing),
            failures=tuple(self._walk()[1]),
        )

    def _wanted(self) -> list[int]:
        return self._walk()[0]

    def _walk(self) -> tuple[list[int], list[LabelFailure]]:
        wanted, refused = walk(self._selection.selected, self._selection.reserve, self._needed, self._failures)
        return wanted, [self._failures[candidate] for candidate in refused]

    def _see_to(self, candidate: int, for_all: bool) -> bool:
        """Have a candidate's label come, if it may; False if it is known that it will not."""
        if candidate in self._labelled:
            return True
        job = self._job(candidate)
        if any(job.key == other.key for other in self._queue.jobs):  # its own, or that of an equal structure
            return True
        labelled = self._recall(candidate)
        if labelled is not None:
            self._labelled[candidate] = labelled
            self._forget(job)
        elif candidate in self._noted:
            self._failures[candidate] = self._noted[candidate]
        elif (answer := self._outbox.read(job.key)) is not None:
            self._keep([(job, answer)])
        elif self._queue.has_room(for_all=for_all):
            self._queue.add(job)
        return candidate not in self._failures

    def _keep(self, answers: list[tuple[Job, Answer]]) -> bool:
        """Keep labels, or note why there are none; what stops the campaign stops it after that."""
        fatal: Exception | None = None
        for job, answer in answers:
            try:
                self._keep_one(job, answer)
            except (OracleError, CampaignError) as error:
                fatal = fatal or error
        if fatal is not None:
            raise fatal
        return bool(answers)

    def _keep_one(self, job: Job, answer: Answer) -> None:
        candidate = job.candidate
        self._tries[candidate] += 1
        try:
            structure = self._selection.candidates.structures[candidate]
            labelled = labelled_by(answer, structure)
            check_label(labelled, self._max_force)
            labelled = with_mask_of(structure, labelled)
        except Exception as error:  # an oracle of the user's own may return anything
            self._forget(job)
            if isinstance(error, OracleError) and error.cause.everywhere:
                raise  # no other structure would fare better: the campaign stops here before it uses them up
            said = isinstance(error, OracleError)
            cause = str(error) if said else f"the oracle raised {type(error).__name__}: {error}"
            lasting = (isinstance(error, OracleError) and error.cause.lasting) or "tries" in answer
            if lasting or self._tries[candidate] > self._max_retries:
                tries = int(answer.get("tries", self._tries[candidate]))
                self._failures[candidate] = LabelFailure(candidate=candidate, attempts=tries, cause=cause)
                self._record_failure(self._failures[candidate])
            return
        try:
            self._labelled[candidate] = self._record(candidate, labelled)
        except OSError as error:
            where = self._outbox.save(job.key, plain(answer))
            raise CampaignError(
                f"the label of candidate {candidate} cannot be written ({error}); it is kept in {where}: make room "
                "and go on, it is not computed again"
            ) from error
        self._forget(job)
        self._on_label(
            Taken(
                number=len(self._labelled),
                total=len(self._wanted()),
                candidate=candidate,
                seconds=float(answer["seconds"]),
            )
        )

    def _forget(self, job: Job) -> None:
        self._queue.place.forget(job)
        self._outbox.discard(job.key)


def _causes(failures: Sequence[LabelFailure]) -> str:
    """List why there are no labels, each cause once."""
    candidates: dict[str, list[int]] = {}
    for failure in failures:
        candidates.setdefault(failure.cause, []).append(failure.candidate)
    return "\n".join(
        f"  candidate{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {cause}"
        for cause, numbers in candidates.items()
    )
