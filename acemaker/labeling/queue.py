"""The queue: jobs in hand, and answers as they come; a worker that dies takes nobody else's job with it."""

from __future__ import annotations

import concurrent.futures
from collections import Counter, deque
from concurrent.futures import BrokenExecutor, CancelledError, Future

from acemaker.errors import Cause
from acemaker.labeling.backend import Place
from acemaker.labeling.job import Answer, Job, failure

RESUBMISSIONS = 2
"""How often a job is handed in again after a worker died with it."""


class Queue:
    """Hands jobs to a place, and takes their answers.

    Where a worker's death breaks the whole executor, nobody knows whose job killed it. The place is then mended, and
    all that was in hand goes one by one: whoever breaks it alone is to blame, and left out after two more tries.

    Parameters
    ----------
    place
        Where labels are made.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._flying: dict[Future[Answer], Job] = {}
        self._suspects: deque[Job] = deque()
        self._deaths: Counter[str] = Counter()

    @property
    def jobs(self) -> list[Job]:
        """All that is in hand, in the order in which it came."""
        return [*self._flying.values(), *self._suspects]

    def has_room(self, *, for_all: bool = False) -> bool:
        """Tell whether one more may be added.

        Parameters
        ----------
        for_all
            Whether more may wait than can be made at a time.
        """
        if self._suspects or any(self._deaths[job.key] for job in self._flying.values()):
            return False
        return for_all or self.place.window is None or len(self._flying) < self.place.window

    def add(self, job: Job) -> None:
        """Take a job in hand."""
        self._send(job)

    def take(self, timeout: float | None = None) -> list[tuple[Job, Answer]]:
        """Wait for answers, and give them out.

        Parameters
        ----------
        timeout
            Seconds; None to wait until there is one.

        Returns
        -------
        list of (Job, dict)
            May be empty, after a timeout or a worker's death.
        """
        if self._flying:
            self.place.wait(list(self._flying), timeout)
        return self.finished()

    def finished(self) -> list[tuple[Job, Answer]]:
        """Give out the answers that are there."""
        answers: list[tuple[Job, Answer]] = []
        lost: list[Job] = []
        for future in [one for one in self._flying if one.done()]:
            job = self._flying.pop(future)
            try:
                answers.append((job, future.result()))
            except BrokenExecutor:
                lost.append(job)
            except CancelledError:
                if self.place.cancels_when_lost:
                    lost.append(job)
                else:
                    answers.append((job, failure("the label was cancelled", Cause.KILLED)))
            except Exception as error:  # of the executor, since failures of the oracle are answers
                answers.append((job, self.place.explain(job, error)))
        if lost:
            answers += self._after_break(lost)
        elif self._suspects and not self._flying:
            self._send(self._suspects.popleft())
        return answers

    def drop(self) -> None:
        """Forget all jobs, without ending them."""
        self._flying.clear()
        self._suspects.clear()

    def _send(self, job: Job) -> None:
        try:
            future = self.place.submit(job)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        self._flying[future] = job

    def _after_break(self, lost: list[Job]) -> list[tuple[Job, Answer]]:
        """Mend the place, and go on with what was in hand."""
        concurrent.futures.wait(list(self._flying), timeout=10)  # the others learn of it in a moment
        answers = []
        for future, job in self._flying.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                answers.append((job, future.result()))
            else:
                lost.append(job)
        alone = len(lost) == 1 and not answers
        self._flying.clear()
        self.place.mend()
        for job in lost:
            self._deaths[job.key] += 1
            if self._deaths[job.key] > RESUBMISSIONS and alone:
                words = f"{self._deaths[job.key]} workers of {self.place.where} died with it"
                answers.append((job, {**failure(words, Cause.KILLED), "tries": self._deaths[job.key]}))
            else:
                self._suspects.append(job)
        if self._suspects:
            self._send(self._suspects.popleft())
        return answers
