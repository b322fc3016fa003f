"""Places where labels are made: what they have in common, and the one that is this thread."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future

from acemaker.errors import Cause
from acemaker.labeling.job import Answer, Job, ask, failure
from acemaker.oracles.oracle import Oracle


class Place:
    """Makes labels; an executor with what labels need besides.

    Attributes
    ----------
    where : str
        What people call it.
    window : int or None
        How many jobs it is given at a time; None for all that there are.
    patience : float
        Seconds until it can say what has become of jobs that it was handed before.
    apart : bool
        Whether a label may be finished while nobody is there to take it.
    outlives : bool
        Whether what was handed in goes on when this process ends.
    notice : str
        What to tell those who wait for it; empty for nothing.
    cancels_when_lost : bool
        Whether jobs are cancelled when it has lost whoever makes them, which a `BrokenExecutor` tells of others.
    """

    where: str
    window: int | None = None
    patience: float = 0.0
    apart: bool = True
    outlives: bool = False
    notice: str = ""
    cancels_when_lost: bool = False

    def submit(self, job: Job) -> Future[Answer]:
        """Take a job in hand."""
        raise NotImplementedError

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Wait until one of these is done."""
        concurrent.futures.wait(futures, timeout, FIRST_COMPLETED)

    def mend(self) -> None:
        """Make it work again after a `BrokenExecutor`."""
        raise NotImplementedError

    def explain(self, job: Job, error: Exception) -> Answer:
        """Say why a job came back without an answer."""
        died = type(error).__name__ in ("KilledWorker", "WorkerLost")  # Dask's and Parsl's words for it
        said = f"candidate {job.candidate} came back from {self.where} with {type(error).__name__}: {error}"
        return failure(said, Cause.KILLED if died else Cause.FAILED)

    def forget(self, job: Job) -> None:
        """Drop what is kept of a job whose answer was taken."""

    def note(self, job: Job) -> str:
        """Say what there is to say of a job that is not done."""
        del job
        return ""

    def rest(self) -> bool:
        """Do without this process for a while, if it can; then it says so, and what was handed in is asked for anew."""
        return False

    def leave(self) -> None:
        """End what would hold this process up, and let go on what can without it."""
        self.end()

    def end(self) -> None:
        """End all that it does, and all that came of it."""


class Here(Place):
    """The thread that asks: one label after the other, when they are waited for.

    Parameters
    ----------
    oracle
        What labels.
    """

    where = "this process"
    window = 1
    apart = False

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._jobs: dict[Future[Answer], Job] = {}

    def submit(self, job: Job) -> Future[Answer]:
        """Note a job."""
        future: Future[Answer] = Future()
        self._jobs[future] = job
        return future

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Do the first one, however long it takes."""
        del timeout
        for future in futures:
            if not future.done():
                future.set_result(ask(self._oracle.label, self._jobs[future].atoms))
                del self._jobs[future]
                return

    def end(self) -> None:
        """Forget what was noted."""
        self._jobs.clear()
