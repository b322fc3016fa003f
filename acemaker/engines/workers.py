"""Force processes among which the atoms are divided, since pyace uses one core and holds Python's global lock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from acemaker.engines.neighbors import SharedLists
from acemaker.errors import EngineError
from acemaker.potentials.evaluator import Evaluation
from acemaker.potentials.generation import Generation


def start_workers(n_force_processes: int, generation: Generation) -> Workers | None:
    """Start the force processes besides this one, and load a potential in them.

    Parameters
    ----------
    n_force_processes
        Number of processes that evaluate forces, including this one.
    generation
        Potential to load.

    Returns
    -------
    Workers or None
        None if `n_force_processes` is 1.
    """
    if n_force_processes == 1:
        return None
    workers = Workers(n_force_processes - 1)
    workers.load(generation)
    return workers


class Workers:
    """Force processes besides the process that runs LAMMPS; each evaluates its share of the atoms.

    They end when this process ends, for whatever reason, because their pipes are closed then.

    Parameters
    ----------
    n
        Number of processes to start.
    """

    def __init__(self, n: int) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._pipes: list[Connection[Any, Any]] = []
        self._loaded: tuple[str, str] | None = None
        for _ in range(n):
            pipe, worker_pipe = Pipe()
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "acemaker.engines.worker", str(worker_pipe.fileno())],
                    pass_fds=[worker_pipe.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # only this process handles Ctrl-C
                    env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            )
            worker_pipe.close()
            self._pipes.append(pipe)

    def __len__(self) -> int:
        """Return the number of processes."""
        return len(self._processes)

    def load(self, generation: Generation) -> None:
        """Send a potential to all processes; they read it while this process continues.

        Raises
        ------
        EngineError
            If one of the processes has ended.
        """
        files = str(generation.yaml), str(generation.asi)
        if files != self._loaded:
            self._send([("load", *files, generation.elements, generation.cutoff)] * len(self))
            self._loaded = files

    def share(self, shares: Sequence[SharedLists]) -> None:
        """Send each process its neighbor lists; to be called whenever they have changed."""
        self._send([("lists", lists) for lists in shares])

    def begin(self, positions: np.ndarray, graded: bool) -> None:
        """Start an evaluation in all processes.

        Parameters
        ----------
        positions : ndarray, shape (n_all, 3)
            Å, ghosts included.
        graded
            Whether to compute gamma.
        """
        self._send([("evaluate", np.array(positions), graded)] * len(self))

    def add_to(self, own: Evaluation) -> Evaluation:
        """Wait for all results, and add them to that of this process, always in the same order.

        Raises
        ------
        EngineError
            If a process has ended or could not evaluate its share.
        """
        try:
            # receive all results, so that none is taken for that of the next step
            parts = [pipe.recv() for pipe in self._pipes]
        except (EOFError, OSError) as error:
            raise self._end_error() from error
        energy, forces, virial, gamma = own.energy, own.forces, own.virial, own.gamma
        for part in parts:
            if isinstance(part, str):
                raise EngineError(f"a force process failed: {part}")
            energy, forces, virial = energy + part.energy, forces + part.forces, virial + part.virial
            gamma = None if gamma is None else np.maximum(gamma, part.gamma)
        return Evaluation(energy=energy, forces=forces, virial=virial, gamma=gamma)

    def close(self) -> None:
        """End all processes."""
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.close()
            process.kill()
            process.wait()
        self._pipes, self._processes = [], []

    def _send(self, messages: Sequence[Any]) -> None:
        for pipe, message in zip(self._pipes, messages, strict=True):
            try:
                pipe.send(message)
            except OSError as error:
                raise self._end_error() from error

    def _end_error(self) -> EngineError:
        statuses = []
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                statuses.append(str(process.wait(timeout=1)))
        self.close()
        return EngineError(
            f"a force process ended unexpectedly (exit status {', '.join(statuses) or 'unknown'}), possibly because "
            "memory ran out; the campaign continues from the last checkpoint when you open it again"
        )
