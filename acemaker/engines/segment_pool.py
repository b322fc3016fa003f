"""Pool of threads that explore several segments at a time, each waiting for a child process."""

from __future__ import annotations

import atexit
import queue
import threading
from concurrent.futures import Future
from dataclasses import replace

from acemaker.engines.protocol import Check, Engine, Exploration, Request
from acemaker.utils.interrupt import interrupted_by, interruptions

Task = tuple[Future[Exploration], Engine, Request]


class SegmentPool:
    """Explores segments of several walkers at a time.

    Checks are reported in the order of the segments, in the thread that calls `explore`; an outcome does not depend on
    which segment finishes first.

    Parameters
    ----------
    n_parallel
        Number of segments that run at a time.
    """

    def __init__(self, n_parallel: int) -> None:
        self._n_parallel = n_parallel
        self._workers: _Workers | None = None
        self._pending: dict[int, tuple[Future[Exploration], queue.SimpleQueue[Check]]] = {}

    def has(self, number: int) -> bool:
        """Return whether a segment has been started and its outcome not been retrieved yet."""
        return number in self._pending

    def begin(self, engine: Engine, request: Request) -> None:
        """Start a segment without waiting for it.

        Parameters
        ----------
        engine
            Engine of the walker, which must run LAMMPS in a child process.
        request
            Segment to explore.
        """
        checks: queue.SimpleQueue[Check] = queue.SimpleQueue()
        with interruptions() as interrupt:  # a segment that runs without being registered would be started again
            self._workers = self._workers or _Workers(self._n_parallel)
            self._pending[request.number] = (
                self._workers.submit(engine, replace(request, on_check=checks.put)),
                checks,
            )
        if interrupt.is_set():
            raise KeyboardInterrupt

    def explore(self, request: Request) -> Exploration:
        """Wait for a segment that was started.

        Raises
        ------
        BaseException
            The exception that ended the segment, or that ``request.on_check`` raised. Call `close` then; the other
            segments continue from their last checkpoints when they are started again.
        """
        future, checks = self._pending[request.number]
        while not (future.done() and checks.empty()):
            try:
                check = checks.get(timeout=0.1)
            except queue.Empty:
                continue
            if request.on_check is not None:
                request.on_check(check)
        outcome = future.result()
        del self._pending[request.number]
        return outcome

    def close(self) -> None:
        """Stop all running segments, and wait until their processes have ended."""
        workers, self._workers, self._pending = self._workers, None, {}
        if workers is not None:
            with interruptions():  # a second Ctrl-C would leave processes running
                workers.end()


class _Workers:
    """Threads that end together; when Python exits, they are stopped rather than waited for."""

    def __init__(self, n_parallel: int) -> None:
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name="explore", daemon=True) for _ in range(n_parallel)]
        atexit.register(self.end)
        for thread in self._threads:
            thread.start()

    def submit(self, engine: Engine, request: Request) -> Future[Exploration]:
        """Explore a segment as soon as a thread is free."""
        future: Future[Exploration] = Future()
        self._tasks.put((future, engine, request))
        return future

    def end(self) -> None:
        """Stop running segments, cancel waiting ones, and wait for the threads to end."""
        self._stop.set()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        atexit.unregister(self.end)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, engine, request = task
            if self._stop.is_set():
                future.cancel()
                continue
            try:
                with interrupted_by(self._stop):
                    future.set_result(engine.explore(request))
            except BaseException as error:  # raised again where the outcome is retrieved
                future.set_exception(error)
