"""The collector hands out structures to be labeled, collects their labels one by one, and returns them."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager

from ase import Atoms

from acemaker.errors import CampaignError, Cause, OracleError
from acemaker.labeling.backend import Backend, Queue
from acemaker.labeling.job import Answer, FinishedLabels, Job, LabelFailure, plain
from acemaker.labeling.request import CollectedLabel, Collection, LabelRequest, LabelSink
from acemaker.oracles.checks import check_label, check_unmoved, with_plain_results
from acemaker.oracles.oracle import STRESS_FAILURE, with_results
from acemaker.structures.mask import mask_of, with_mask_of

POLL_INTERVAL = 1.0
"""Seconds between two calls of `on_wait`."""


class Collector:
    """Has structures labeled by a backend.

    Labels may arrive in any order: the structures that are labeled, and the order in which they are returned, are
    those of labeling one structure after the other (see `serial_order`).

    Parameters
    ----------
    request
        The structures.
    backend
        Computes the labels.
    sink
        Stores them.
    finished
        Labels that workers have finished, and that are not stored yet.
    on_label
        Called with each label that was stored.
    on_wait
        Called every second during the wait for labels; may raise an exception to end it.

    Attributes
    ----------
    request : LabelRequest
        The structures.
    over : bool
        Whether all labels were collected, or an exception has ended the collection.
    """

    def __init__(
        self,
        request: LabelRequest,
        backend: Backend,
        sink: LabelSink,
        finished: FinishedLabels,
        *,
        on_label: Callable[[CollectedLabel], None] = lambda _: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.request, self.over = request, False
        self._backend, self._sink, self._finished = backend, sink, finished
        self._on_label, self._on_wait = on_label, on_wait
        self._queue = Queue(backend)
        self._labels: dict[int, Atoms] = {}
        self._failures: dict[int, LabelFailure] = {}
        self._tries: Counter[int] = Counter()

    def label(self) -> Collection:
        """Wait for all labels.

        Raises
        ------
        OracleError
            If fewer structures can be labeled than are needed, or none of them can: a program is missing, for example.
        CampaignError
            If a label cannot be written.
        """
        with self._guarded():
            if self._backend.notice:
                self._hand_out(for_all=True)
                warnings.warn(self._backend.notice, stacklevel=2)
            self._hand_out()
            while self._missing():
                self._on_wait()
                self._take(POLL_INTERVAL)
                self._hand_out()
            return self._collection()

    def submit(self) -> Collection:
        """Hand out all missing structures without waiting."""
        with self._guarded():
            self._hand_out(for_all=True)
            self._rest()  # which may wait until all jobs are submitted and numbered
            return self._collection(complete=False)

    def collect(self) -> Collection:
        """Hand out missing structures, and collect the labels that are finished.

        Raises
        ------
        OracleError, CampaignError
            As in `label`.
        """
        with self._guarded():
            self._hand_out(for_all=True)
            while self._missing() and self._take(self._backend.poll_timeout):
                self._hand_out(for_all=True)
            return self._collection(complete=not self._missing())

    def end(self) -> None:
        """End all jobs."""
        self._backend.end()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Lose no finished label and leave no job running where an exception ends the collection."""
        try:
            yield
        except CampaignError as error:  # a label cannot be written: those being computed have to be saved, too
            self.over = True
            message = str(error)
            if self._queue.jobs and not self._backend.outlives:
                warnings.warn(
                    f"{message}; waiting for the labels that are being computed, to save them, too", stacklevel=2
                )
                message += f"; {self._save_running()} more that were being computed are saved, too"
            self._backend.leave()
            raise CampaignError(message) from error
        except BaseException as error:
            self.over = True
            with contextlib.suppress(Exception):  # the first error is the one to report
                self._store(self._queue.finished())
            if isinstance(error, OracleError):
                self._backend.end()
            else:
                self._backend.leave()
            raise
        self.over = not self._missing()
        self._rest()

    def _rest(self) -> None:
        if self._backend.rest():
            self._queue.drop()

    def _save_running(self) -> int:
        """Wait for the labels that are being computed, save them without the sink, and return their number."""
        saved = 0
        while self._queue.jobs:
            for job, answer in self._queue.take(POLL_INTERVAL):
                if "message" not in answer:
                    self._finished.save(job.key, plain(answer))
                    saved += 1
        return saved

    def _collection(self, *, complete: bool = True) -> Collection:
        """Return what there is; if it is to be complete, raise an `OracleError` if there is too little."""
        requested, failures = self._plan()
        if complete and len(requested) < self.request.needed:
            raise OracleError(
                f"{len(requested)} of {len(requested) + len(failures)} structures could be labeled, "
                f"{self.request.needed} are needed; fix the oracle and reopen the campaign, which continues here:\n"
                f"{_causes(failures)}"
            )
        missing = tuple(candidate for candidate in self._wanted() if candidate not in self._labels)
        return Collection(
            where=self._backend.where,
            labels={candidate: self._labels[candidate] for candidate in requested if candidate in self._labels},
            missing=missing,
            notes=tuple(self._note(candidate) for candidate in missing),
            failures=tuple(failures),
        )

    def _note(self, candidate: int) -> str:
        job = self.request.jobs[candidate]
        kind = f"isolated {job.atoms.symbols[0]}, " if candidate in self.request.optional else ""
        return kind + self._backend.note(job)

    def _missing(self) -> bool:
        return any(candidate not in self._labels for candidate in self._wanted())

    def _wanted(self) -> list[int]:
        """Return the optional jobs that have not failed, and the candidates whose labels exist or are expected."""
        return [*(number for number in self.request.optional if number not in self._failures), *self._plan()[0]]

    def _plan(self) -> tuple[list[int], list[LabelFailure]]:
        """Return the candidates whose labels exist or are expected, and the failures among those tried."""
        request = self.request
        requested, failed = serial_order(request.selected, request.reserve, request.needed, self._failures)
        return requested, [self._failures[candidate] for candidate in failed]

    def _hand_out(self, *, for_all: bool = False) -> None:
        """Collect labels that exist, and give the queue as many jobs as it has room for."""
        settled = False
        while not settled:  # a failure that is already known changes which candidates are requested
            settled = all(self._hand_out_one(self.request.jobs[number], for_all) for number in self._wanted())

    def _hand_out_one(self, job: Job, for_all: bool) -> bool:
        """Find the label of a job, or have it computed; False if it is known to fail."""
        if job.candidate in self._labels:
            return True
        if self._queue.has(job.key):  # this job, or that of an equal structure
            return True
        existing = self._sink.find(job)
        if isinstance(existing, LabelFailure):
            self._failures[job.candidate] = existing
        elif existing is not None:
            self._labels[job.candidate] = existing
            self._forget(job)
        elif (answer := self._finished.read(job.key)) is not None:
            self._store([(job, answer)])
        elif self._queue.has_room(for_all=for_all):
            self._queue.add(job)
        return job.candidate not in self._failures

    def _take(self, timeout: float | None) -> bool:
        """Wait for answers, store their labels, and return whether there was one."""
        return self._store(self._queue.take(timeout))

    def _store(self, answers: list[tuple[Job, Answer]]) -> bool:
        """Store labels, or record failures; an error that stops the campaign is raised after the last of them."""
        fatal: Exception | None = None
        for job, answer in answers:
            try:
                self._store_one(job, answer)
            except (OracleError, CampaignError) as error:
                fatal = fatal or error
        if fatal is not None:
            raise fatal
        return bool(answers)

    def _store_one(self, job: Job, answer: Answer) -> None:
        candidate = job.candidate
        self._tries[candidate] += 1
        try:
            labeled = _labeled_structure(answer, job.atoms)
            check_label(labeled, self.request.max_force)
            if self.request.needs_stress:
                self._check_stress(job, labeled)
            labeled = with_mask_of(job.atoms, with_plain_results(labeled))
        except Exception as error:  # a user's oracle may return anything
            self._forget(job)
            if isinstance(error, OracleError) and error.cause.everywhere:
                raise  # other structures would fail as well: the campaign stops here before it uses them up
            self._record_failure(job, answer, error)
            return
        try:
            self._labels[candidate] = self._sink.store(job, labeled)
        except OSError as error:
            where = self._finished.save(job.key, plain(answer))
            raise CampaignError(
                f"the label of candidate {candidate} cannot be written ({error}); it is saved in {where}: free some "
                "disk space and continue, it is not computed again"
            ) from error
        self._forget(job)
        if candidate in self.request.optional:
            return
        self._on_label(
            CollectedLabel(
                number=sum(number not in self.request.optional for number in self._labels),
                total=len(self._plan()[0]),
                candidate=candidate,
                seconds=float(answer["seconds"]),
            )
        )

    def _check_stress(self, job: Job, labeled: Atoms) -> None:
        """Raise an error that ends the collection if a label lacks the stress that a barostat needs."""
        if "stress" in labeled.calc.results:
            return
        if job.candidate in self.request.optional or not job.atoms.pbc.all() or mask_of(job.atoms) is not None:
            return
        failure = labeled.info.get(STRESS_FAILURE, "")
        others_have = any("stress" in atoms.calc.results for atoms in self._labels.values())
        if self.request.accepts_none and not failure and not others_have:
            return
        raise OracleError(
            f"the label of candidate {job.candidate} has no stress"
            + (f", which the calculator failed to compute ({failure})" if failure else "")
            + ", although the ensemble has a barostat: the pressure of the potential would be learned from energies "
            "and forces alone. Correct the oracle and open the campaign again, which continues here; for an oracle "
            "without stress, create a campaign with ensemble='nvt'",
            Cause.NO_STRESS,
        )

    def _record_failure(self, job: Job, answer: Answer, error: Exception) -> None:
        """Give a structure up if another try would not help, or there was the last one."""
        candidate, of_oracle = job.candidate, isinstance(error, OracleError)
        lasting = (isinstance(error, OracleError) and error.cause.lasting) or "tries" in answer
        if not lasting and self._tries[candidate] <= self.request.max_retries:
            return
        self._failures[candidate] = LabelFailure(
            candidate=candidate,
            attempts=int(answer.get("tries", self._tries[candidate])),
            cause=str(error) if of_oracle else f"the oracle raised {type(error).__name__}: {error}",
        )
        self._sink.fail(job, self._failures[candidate])

    def _forget(self, job: Job) -> None:
        self._backend.forget(job)
        self._finished.discard(job.key)


def serial_order(
    selected: Sequence[int], reserve: Sequence[int], needed: int, failed: Container[int]
) -> tuple[list[int], list[int]]:
    """Return the candidates that labeling one structure after the other would request.

    A candidate that cannot be labeled is left out. If it is the halted structure, the best candidate in reserve takes
    its place; for any other one, this is only so if there would be fewer labels than needed.

    Parameters
    ----------
    selected
        Candidates to label, in the order of choice.
    reserve
        The other ones, best first.
    needed
        Minimum number of labels.
    failed
        Candidates that cannot be labeled.

    Returns
    -------
    requested, refused : list of int
        Candidates whose labels exist or are expected, and those tried before that cannot be labeled.
    """
    queue, waiting = list(selected), list(reserve)
    requested: list[int] = []
    refused: list[int] = []
    halted = queue[0] if queue else None
    while queue:
        candidate = queue.pop(0)
        if candidate not in failed:
            requested.append(candidate)
            continue
        refused.append(candidate)
        if waiting and (candidate == halted or len(requested) + len(queue) < needed):
            substitute = waiting.pop(0)
            queue.insert(0, substitute)
            halted = substitute if candidate == halted else halted
    return requested, refused


def _labeled_structure(answer: Answer, atoms: Atoms) -> Atoms:
    """Return the labeled structure of an answer.

    Raises
    ------
    OracleError
        If the job failed, or the label is that of another structure.
    """
    if "message" in answer:
        cause = Cause(answer["cause"])
        raise OracleError(answer["message"].removeprefix(f"{cause}: "), cause)
    if "labeled" in answer:
        labeled: Atoms = answer["labeled"]
        check_unmoved(atoms, labeled)
        return labeled
    labeled = with_results(atoms, answer["results"])
    labeled.info.update(answer["info"])
    return labeled


def _causes(failures: Sequence[LabelFailure]) -> str:
    """List why labels are missing, each cause once."""
    candidates: dict[str, list[int]] = {}
    for failure in failures:
        candidates.setdefault(failure.cause, []).append(failure.candidate)
    return "\n".join(
        f"  candidate{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {cause}"
        for cause, numbers in candidates.items()
    )
