"""Processes of this machine that stay for the next label, and end with their owner."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import psutil

from acemaker.labeling.job import Answer, Job
from acemaker.labeling.pools import Function, Pool
from acemaker.process.supervisor import kill_descendants


class Processes(Pool):
    """Processes of this machine that stay for the next label.

    Parameters
    ----------
    function
        Makes a label.
    n_workers
        How many.
    arguments
        Further keyword arguments of `ProcessPoolExecutor`.
    """

    def __init__(self, function: Function, n_workers: int, arguments: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")  # LAMMPS and BLAS do not survive a fork
        chosen = {"mp_context": context, "initializer": begin_worker, **arguments}
        super().__init__(
            function, lambda: ProcessPoolExecutor(n_workers, **chosen), f"{n_workers} processes", window=n_workers
        )

    def submit(self, job: Job) -> Future[Answer]:
        """Hand a job to a worker; one that is started for it gets one thread."""
        before = os.environ.get("OMP_NUM_THREADS")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        try:
            return super().submit(job)
        finally:
            if before is None:
                del os.environ["OMP_NUM_THREADS"]

    def _drop(self) -> None:
        # without this, the workers would go on with what nobody wants any more, and keep this process from ending
        if any(not future.done() for future in self._futures):
            _kill_with_descendants(list(getattr(self._executor, "_processes", None) or {}))
        super()._drop()


def begin_worker() -> None:
    """Let a worker process end with its owner, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = multiprocessing.parent_process()

    def follow() -> None:
        if owner is not None:
            owner.join()
            kill_descendants()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _kill_with_descendants(pids: list[int]) -> None:
    """Kill processes and all that came of them; the pool ends the others as soon as it misses one."""
    family: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            family += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=5)
