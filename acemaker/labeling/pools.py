"""Pools of workers: what they have in common, threads, and whatever executor people bring."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

from acemaker.errors import ConfigError
from acemaker.labeling.backend import Place
from acemaker.labeling.job import Answer, Job
from acemaker.oracles.scratch import end_own

Function = Callable[[Job], Answer]


class Pool(Place):
    """Workers of an executor, made when they are needed and again when they break.

    Parameters
    ----------
    function
        Makes a label; wherever the workers are, they must be able to import it.
    factory
        Makes the executor.
    where
        What people call it.
    window
        Jobs given at a time; None for all that there are.
    scratch
        Where labels are made that this process makes itself.
    """

    def __init__(
        self,
        function: Function,
        factory: Callable[[], Executor],
        where: str,
        window: int | None = None,
        scratch: str = "",
    ) -> None:
        self._function, self._factory, self._scratch = function, factory, scratch
        self.where, self.window = where, window
        self._executor: Executor | None = None
        self._futures: list[Future[Answer]] = []

    def submit(self, job: Job) -> Future[Answer]:
        """Hand a job to a worker."""
        if self._executor is None:
            self._executor = self._factory()
        future = self._executor.submit(self._function, job)
        self._futures = [*(one for one in self._futures if not one.done()), future]
        return future

    def mend(self) -> None:
        """Drop the broken executor; the next job makes another."""
        self._drop()

    def end(self) -> None:
        """Cancel what waits, end what runs in this process or came of it, and let the executor go."""
        busy = [future for future in self._futures if not future.cancel() and not future.done()]
        self._drop()
        if busy:
            end_own(self._scratch)
        self._futures = []

    def _drop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            try:
                executor.shutdown(wait=False, cancel_futures=True)
            except TypeError:  # not everybody's knows how to cancel
                executor.shutdown(wait=False)


class Threads(Pool):
    """Threads of this process, each of which waits for a process that labels.

    Parameters
    ----------
    function
        Makes a label, and gives up soon once `stop` is set.
    stop
        Set while labels are ended.
    n_workers
        How many threads.
    """

    def __init__(self, function: Function, stop: threading.Event, n_workers: int) -> None:
        super().__init__(
            function, lambda: ThreadPoolExecutor(n_workers, "label"), f"{n_workers} threads", window=n_workers
        )
        self._stop = stop

    def _drop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            self._stop.set()
            executor.shutdown(wait=True, cancel_futures=True)  # what they have started is gone when this returns
            self._stop.clear()


class Theirs(Pool):
    """An executor that somebody else made and ends; a broken one stays broken."""

    def __init__(self, function: Function, executor: Executor, scratch: str = "") -> None:
        super().__init__(function, lambda: executor, type(executor).__name__, scratch=scratch)

    def mend(self) -> None:
        """Say that it cannot be."""
        raise ConfigError(
            f"a worker of the {self.where} that was given as executor died, and the executor with it; give a callable "
            "that returns one, so that another can be made"
        )

    def _drop(self) -> None:
        self._executor = None
