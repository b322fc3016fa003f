"""Pools of workers: threads, processes of this machine, and executors of the user's."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import psutil

from acemaker.errors import ConfigError
from acemaker.labeling.backend import Backend
from acemaker.labeling.job import Answer, Job
from acemaker.oracles.scratch import end_labels
from acemaker.process.supervisor import kill_descendants

Function = Callable[[Job], Answer]


class Pool(Backend):
    """Workers of an executor, which is created when it is needed and again after it broke.

    Parameters
    ----------
    function
        Computes a label; the workers must be able to import it.
    factory
        Returns the executor.
    where
        Name for messages.
    window
        Number of jobs that it is given at a time; None for all of them.
    scratch
        Folder for labels that are computed in this process.
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
        """Submit a job to a worker."""
        if self._executor is None:
            self._executor = self._factory()
        future = self._executor.submit(self._function, job)
        self._futures = [*(future for future in self._futures if not future.done()), future]
        return future

    def restart(self) -> None:
        """Drop the broken executor; the next job creates another."""
        self._drop()

    def end(self) -> None:
        """Cancel waiting jobs, end running ones of this process with their programs, and drop the executor."""
        busy = [future for future in self._futures if not future.cancel() and not future.done()]
        self._drop()
        if busy:
            end_labels(self._scratch)
        self._futures = []

    def _drop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            try:
                executor.shutdown(wait=False, cancel_futures=True)
            except TypeError:  # some users' executors cannot cancel
                executor.shutdown(wait=False)


class Threads(Pool):
    """Threads of this process, each of which waits for a process that computes a label.

    Parameters
    ----------
    function
        Computes a label, and returns soon after `stop` was set.
    stop
        Set while labels are ended.
    n_workers
        Number of threads.
    """

    def __init__(self, function: Function, stop: threading.Event, n_workers: int) -> None:
        super().__init__(
            function,
            lambda: ThreadPoolExecutor(n_workers, "label"),
            f"{n_workers} threads",
            window=n_workers,
        )
        self._stop = stop

    def _drop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            self._stop.set()
            executor.shutdown(wait=True, cancel_futures=True)  # the processes of the threads have ended then
            self._stop.clear()


class Processes(Pool):
    """Processes of this machine, each of which computes several labels, and which end with their owner.

    Parameters
    ----------
    function
        Computes a label.
    n_workers
        Number of processes.
    arguments
        Further keyword arguments of `ProcessPoolExecutor`.
    """

    def __init__(self, function: Function, n_workers: int, arguments: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")  # LAMMPS and BLAS do not survive a fork
        chosen = {"mp_context": context, "initializer": begin_worker, **arguments}
        super().__init__(
            function,
            lambda: ProcessPoolExecutor(n_workers, **chosen),
            f"{n_workers} processes",
            window=n_workers,
        )

    def submit(self, job: Job) -> Future[Answer]:
        """Submit a job to a worker; a worker that is started for it gets one thread."""
        before = os.environ.get("OMP_NUM_THREADS")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        try:
            return super().submit(job)
        finally:
            if before is None:
                del os.environ["OMP_NUM_THREADS"]

    def _drop(self) -> None:
        # otherwise the workers would finish labels that are not needed any more, and keep this process from ending
        if any(not future.done() for future in self._futures):
            _kill_with_descendants(list(getattr(self._executor, "_processes", None) or {}))
        super()._drop()


class UserExecutorBackend(Pool):
    """An executor that the user creates and ends; if it breaks, it cannot be replaced."""

    def __init__(self, function: Function, executor: Executor, scratch: str = "") -> None:
        super().__init__(function, lambda: executor, type(executor).__name__, scratch=scratch)

    def restart(self) -> None:
        """Raise an error that tells how to make this possible."""
        raise ConfigError(
            f"a worker of the {self.where} that was passed as executor died, and the executor cannot be used any more; "
            "pass a callable that returns an executor, so that another one can be created"
        )

    def _drop(self) -> None:
        self._executor = None


def begin_worker() -> None:
    """Make a worker process end with its owner, however that ends, and ignore Ctrl-C, which the owner handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = multiprocessing.parent_process()

    def follow() -> None:
        if owner is not None:
            owner.join()
            kill_descendants()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _kill_with_descendants(pids: list[int]) -> None:
    """Kill processes and their descendants; the pool ends the other ones as soon as it misses one."""
    family: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            family += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=5)
