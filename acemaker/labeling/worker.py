"""The work of a worker: compute the label of one job, in whatever process the executor runs it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.labeling.job import Answer, FinishedLabels, Job, ask, failure, plain
from acemaker.oracles.factory import with_absolute_files
from acemaker.oracles.oracle import Oracle

_ONE_BY_ONE = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings with which another process computes labels.

    Attributes
    ----------
    config : dict
        Oracle settings as JSON values.
    elements : tuple of str
        Elements of the system.
    path : tuple of str
        Where Python searches for modules.
    keep : str
        Folder for the output of failed calculations; empty for none.
    """

    config: dict[str, Any]
    elements: tuple[str, ...]
    path: tuple[str, ...]
    keep: str = ""

    @classmethod
    def of(cls, config: OracleConfig, elements: tuple[str, ...], keep: Path | None) -> Recipe:
        """Convert a configuration so that it has the same meaning in another working directory."""
        if config.oracle == "espresso":
            from acemaker.oracles.espresso import with_absolute_paths

            config = with_absolute_paths(config)
        config = with_absolute_files(config)
        if config.scratch:
            config = config.model_copy(update={"scratch": str(Path(config.scratch).expanduser().absolute())})
        path = tuple(str(Path(entry).absolute()) for entry in sys.path)
        return cls(config=config.model_dump(mode="json"), elements=elements, path=path, keep=str(keep or ""))


def make_label(job: Job, recipe: Recipe, owner: int = 0) -> Answer:
    """Compute a label with the oracle of a recipe; the checks are those of every label.

    Parameters
    ----------
    job
        The label to compute.
    recipe
        Settings of the oracle.
    owner
        Process number of the campaign: threads of that process compute inline labels one at a time.

    Returns
    -------
    dict
        An answer of plain data; a failure is an answer, too.
    """
    sys.path += [entry for entry in recipe.path if entry not in sys.path]
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    def label(atoms: Atoms) -> Atoms:
        from acemaker.oracles.process import is_inline, make_oracle

        config, keep = OracleConfig(**recipe.config), Path(recipe.keep) if recipe.keep else None
        start = time.monotonic()

        def home(labeled: Atoms) -> None:
            answer = {"labeled": labeled, "seconds": time.monotonic() - start}
            FinishedLabels(Path(job.finished)).leave(job.key, plain(answer))

        with _ONE_BY_ONE if os.getpid() == owner and is_inline(config) else contextlib.nullcontext():
            return make_oracle(config, recipe.elements, keep, home).label(atoms)

    return plain(_once(job, lambda: ask(label, job.atoms)))


def have_labeled(job: Job, oracle: Oracle, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Compute a label with an oracle object of this process, or one that was sent to it.

    Parameters
    ----------
    job
        The label to compute.
    oracle
        Computes it.
    stopped
        Returns True once the label is not needed any more.

    Returns
    -------
    dict
        An answer.
    """
    return _once(job, lambda: ask(oracle.label, job.atoms), stopped)


def _once(job: Job, compute: Callable[[], Answer], stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Compute a label unless it exists, or another process finishes it first."""
    finished = FinishedLabels(Path(job.finished))
    with finished.alone(job.key, stopped):
        if Path(job.label).exists():
            return failure("the campaign has this label already")
        answer = finished.read(job.key)
        if answer is None:
            answer = compute()
            if "message" not in answer:
                finished.leave(job.key, plain(answer))
    return answer
