"""Backends compute labels: their common interface, the one of this thread, and the queue in front of a backend."""

from __future__ import annotations

import concurrent.futures
from collections import Counter, deque
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future

from acemaker.errors import Cause
from acemaker.labeling.job import Answer, Job, ask, failure
from acemaker.oracles.oracle import Oracle

RESUBMISSIONS = 2
"""How often a job is submitted again after a worker died while computing it."""


class Backend:
    """Computes labels: an executor with the additional methods that labels need.

    Attributes
    ----------
    where : str
        Name for messages.
    window : int or None
        Number of jobs that it is given at a time; None for all of them.
    poll_timeout : float
        Seconds that it needs to find the answers of jobs that were submitted by an earlier process.
    apart : bool
        Whether a label may be finished while the campaign is closed.
    outlives : bool
        Whether submitted jobs continue when this process ends.
    notice : str
        Message to users who wait for labels; empty for none.
    cancels_when_lost : bool
        Whether it cancels jobs when it loses its workers, where others raise `BrokenExecutor`.
    """

    where: str
    window: int | None = None
    poll_timeout: float = 0.0
    apart: bool = True
    outlives: bool = False
    notice: str = ""
    cancels_when_lost: bool = False

    def submit(self, job: Job) -> Future[Answer]:
        """Start a job."""
        raise NotImplementedError

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Wait until one of the futures is done."""
        concurrent.futures.wait(futures, timeout, FIRST_COMPLETED)

    def restart(self) -> None:
        """Make it usable again after a `BrokenExecutor`."""
        raise NotImplementedError

    def explain(self, job: Job, error: Exception) -> Answer:
        """Convert an exception of the executor into an answer."""
        died = type(error).__name__ in ("KilledWorker", "WorkerLost")  # exceptions of Dask and Parsl
        message = f"candidate {job.candidate} came back from {self.where} with {type(error).__name__}: {error}"
        return failure(message, Cause.KILLED if died else Cause.FAILED)

    def forget(self, job: Job) -> None:
        """Delete what it stores of a job whose answer was collected."""

    def note(self, job: Job) -> str:
        """Return a remark on a job that is not done."""
        del job
        return ""

    def rest(self) -> bool:
        """Continue without this process if possible; True if it does, and jobs have to be submitted again then."""
        return False

    def leave(self) -> None:
        """End what would keep this process from ending; what can continue without it does."""
        self.end()

    def end(self) -> None:
        """End all jobs and the processes that they have started."""


class InlineBackend(Backend):
    """The calling thread: one label after the other, while it waits for them.

    Parameters
    ----------
    oracle
        Computes the labels.
    """

    where = "this process"
    window = 1
    apart = False

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._jobs: dict[Future[Answer], Job] = {}

    def submit(self, job: Job) -> Future[Answer]:
        """Accept a job, which `wait` computes."""
        future: Future[Answer] = Future()
        self._jobs[future] = job
        return future

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Compute the first job, however long it takes."""
        del timeout
        for future in futures:
            if not future.done():
                future.set_result(ask(self._oracle.label, self._jobs[future].atoms))
                del self._jobs[future]
                return

    def end(self) -> None:
        """Drop the jobs."""
        self._jobs.clear()


class Queue:
    """Submits jobs to a backend, and returns their answers.

    If the death of a worker breaks the whole executor, the job that caused it is unknown. The backend is then
    restarted, and all submitted jobs run one by one: a job that breaks the executor alone is the cause, and is given up
    after `RESUBMISSIONS` more tries.

    Parameters
    ----------
    backend
        Computes the labels.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._submitted: dict[Future[Answer], Job] = {}
        self._suspects: deque[Job] = deque()
        self._deaths: Counter[str] = Counter()

    @property
    def jobs(self) -> list[Job]:
        """Jobs without an answer yet, in the order of `add`."""
        return [*self._submitted.values(), *self._suspects]

    def has(self, key: str) -> bool:
        """Return whether a job with a key has no answer yet."""
        return any(job.key == key for job in self.jobs)

    def has_room(self, *, for_all: bool = False) -> bool:
        """Return whether one more job may be added.

        Parameters
        ----------
        for_all
            Whether more jobs may wait than the backend computes at a time.
        """
        if self._suspects or any(self._deaths[job.key] for job in self._submitted.values()):
            return False
        return for_all or self.backend.window is None or len(self._submitted) < self.backend.window

    def add(self, job: Job) -> None:
        """Submit a job."""
        try:
            future = self.backend.submit(job)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        self._submitted[future] = job

    def take(self, timeout: float | None = None) -> list[tuple[Job, Answer]]:
        """Wait for answers, and return them.

        Parameters
        ----------
        timeout
            In seconds; None to wait until there is an answer.

        Returns
        -------
        list of (Job, dict)
            May be empty after a timeout or the death of a worker.
        """
        if self._submitted:
            self.backend.wait(list(self._submitted), timeout)
        return self.finished()

    def finished(self) -> list[tuple[Job, Answer]]:
        """Return the answers that have arrived."""
        answers: list[tuple[Job, Answer]] = []
        lost: list[Job] = []
        for future in [future for future in self._submitted if future.done()]:
            job = self._submitted.pop(future)
            try:
                answers.append((job, future.result()))
            except BrokenExecutor:
                lost.append(job)
            except CancelledError:
                if self.backend.cancels_when_lost:
                    lost.append(job)
                else:
                    answers.append((job, failure("the label was cancelled", Cause.KILLED)))
            except Exception as error:  # of the executor, since errors of the oracle are answers
                answers.append((job, self.backend.explain(job, error)))
        if lost:
            answers += self._after_break(lost)
        elif self._suspects and not self._submitted:
            self.add(self._suspects.popleft())
        return answers

    def drop(self) -> None:
        """Forget all jobs without ending them."""
        self._submitted.clear()
        self._suspects.clear()

    def _after_break(self, lost: list[Job]) -> list[tuple[Job, Answer]]:
        """Restart the backend, and submit the lost jobs again one by one."""
        concurrent.futures.wait(list(self._submitted), timeout=10)  # the other futures break a moment later
        answers = []
        for future, job in self._submitted.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                answers.append((job, future.result()))
            else:
                lost.append(job)
        alone = len(lost) == 1 and not answers
        self._submitted.clear()
        self.backend.restart()
        for job in lost:
            self._deaths[job.key] += 1
            if self._deaths[job.key] > RESUBMISSIONS and alone:
                message = f"{self._deaths[job.key]} workers of {self.backend.where} died with it"
                answers.append((job, {**failure(message, Cause.KILLED), "tries": self._deaths[job.key]}))
            else:
                self._suspects.append(job)
        if self._suspects:
            self.add(self._suspects.popleft())
        return answers
