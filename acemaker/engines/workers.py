"""Processes that share the atoms out: pyace computes on one core and keeps Python's lock meanwhile."""

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


def hire(cores: int, generation: Generation) -> Workers | None:
    """Start as many helpers as there are cores besides this process's own, and give them a potential.

    Returns
    -------
    Workers or None
        None for one core.
    """
    if cores == 1:
        return None
    workers = Workers(cores - 1)
    workers.load(generation)
    return workers


class Workers:
    """Helpers of the process that runs LAMMPS; each evaluates the atoms of its share.

    They end when this process does, however it ends: their end of the pipe closes.

    Parameters
    ----------
    n
        How many.
    """

    def __init__(self, n: int) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._pipes: list[Connection[Any, Any]] = []
        self._loaded: tuple[str, str] | None = None
        for _ in range(n):
            ours, theirs = Pipe()
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "acemaker.engines.worker", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for this process to handle
                    env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            )
            theirs.close()
            self._pipes.append(ours)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._processes)

    def load(self, generation: Generation) -> None:
        """Give them a potential; it is read while this process goes on.

        Raises
        ------
        EngineError
            If one of them is gone.
        """
        files = str(generation.yaml), str(generation.asi)
        if files != self._loaded:
            self._send([("load", *files, generation.elements, generation.cutoff)] * len(self))
            self._loaded = files

    def share(self, shares: Sequence[SharedLists]) -> None:
        """Give each its neighbour lists, whenever these have changed."""
        self._send([("lists", one) for one in shares])

    def begin(self, positions: np.ndarray, graded: bool) -> None:
        """Let them evaluate positions, shape (n_all, 3), in Å.

        Parameters
        ----------
        positions
            Ghosts included.
        graded
            Whether gamma is wanted.
        """
        self._send([("evaluate", np.array(positions), graded)] * len(self))

    def add_to(self, own: Evaluation) -> Evaluation:
        """Wait for their parts, and add them to this process's own, always in the same order.

        Raises
        ------
        EngineError
            If one of them is gone, or could not evaluate its share.
        """
        try:
            parts = [pipe.recv() for pipe in self._pipes]  # all of them, lest one be taken for that of the next step
        except (EOFError, OSError) as error:
            raise self._gone() from error
        energy, forces, virial, gamma = own.energy, own.forces, own.virial, own.gamma
        for part in parts:
            if isinstance(part, str):
                raise EngineError(f"a process that shares the atoms out failed: {part}")
            energy, forces, virial = energy + part.energy, forces + part.forces, virial + part.virial
            gamma = None if gamma is None else np.maximum(gamma, part.gamma)
        return Evaluation(energy=energy, forces=forces, virial=virial, gamma=gamma)

    def close(self) -> None:
        """End them."""
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
                raise self._gone() from error

    def _gone(self) -> EngineError:
        statuses = []
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                statuses.append(str(process.wait(timeout=1)))
        self.close()
        return EngineError(
            f"a process that shares the atoms out is gone (exit status {', '.join(statuses) or 'unknown'}), for want "
            "of memory perhaps; the campaign goes on from the last checkpoint when it is opened again"
        )
