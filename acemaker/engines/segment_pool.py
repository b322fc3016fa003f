"""Several segments at a time: threads that each wait for a child process."""

from __future__ import annotations

import atexit
import queue
import threading
from concurrent.futures import Future
from dataclasses import replace

from acemaker.engines.protocol import Check, Engine, Exploration, Request
from acemaker.utils.interrupt import interrupted_by, interruptions

Task = tuple[Future[Exploration], Engine, Request]


class Team:
    """Explores segments of several walkers at a time.

    What is checked is told in the order of the segments, in the thread that asks for their outcome; what an outcome is
    does not depend on which of them was quicker.

    Parameters
    ----------
    n_workers
        Segments at a time.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._crew: _Crew | None = None
        self._begun: dict[int, tuple[Future[Exploration], queue.SimpleQueue[Check]]] = {}

    def has(self, number: int) -> bool:
        """Tell whether a segment has been begun, and nobody has had its outcome yet."""
        return number in self._begun

    def begin(self, engine: Engine, request: Request) -> None:
        """Begin a segment; nobody waits for it yet.

        Parameters
        ----------
        engine
            The walker's own; it must run LAMMPS in a child.
        request
            What is to be explored.
        """
        checks: queue.SimpleQueue[Check] = queue.SimpleQueue()
        with interruptions() as pressed:  # one that runs and is not noted would be begun once more
            self._crew = self._crew or _Crew(self._n_workers)
            self._begun[request.number] = self._crew.submit(engine, replace(request, on_check=checks.put)), checks
        if pressed.is_set():
            raise KeyboardInterrupt

    def explore(self, request: Request) -> Exploration:
        """Wait for a segment that was begun.

        Raises
        ------
        BaseException
            What ended it, or what ``request.on_check`` raised; `close` then, and the others go on from their last
            checkpoints when they are begun again.
        """
        future, checks = self._begun[request.number]
        while not (future.done() and checks.empty()):
            try:
                check = checks.get(timeout=0.1)
            except queue.Empty:
                continue
            if request.on_check is not None:
                request.on_check(check)
        outcome = future.result()
        del self._begun[request.number]
        return outcome

    def close(self) -> None:
        """Stop what runs, and wait until its processes are gone."""
        crew, self._crew, self._begun = self._crew, None, {}
        if crew is not None:
            with interruptions():  # impatience would leave them behind
                crew.end()


class _Crew:
    """Threads that end together; Python does not wait for them when it exits, but has them stop."""

    def __init__(self, n_workers: int) -> None:
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name="explore", daemon=True) for _ in range(n_workers)]
        atexit.register(self.end)
        for thread in self._threads:
            thread.start()

    def submit(self, engine: Engine, request: Request) -> Future[Exploration]:
        """Have a segment explored once a thread is free."""
        future: Future[Exploration] = Future()
        self._tasks.put((future, engine, request))
        return future

    def end(self) -> None:
        """Stop what runs, drop what waits, and wait for the threads."""
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
            except BaseException as error:  # for whoever asks for the outcome
                future.set_exception(error)
