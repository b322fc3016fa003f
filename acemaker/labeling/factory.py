"""Makes the place that the configuration, or the user, names."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from acemaker.config import LabellingConfig, OracleConfig
from acemaker.errors import ConfigError
from acemaker.labeling.backend import Here, Place
from acemaker.labeling.dask import DaskPool
from acemaker.labeling.files import Files
from acemaker.labeling.job import Recipe, have_labelled, make_label
from acemaker.labeling.pools import Function, Pool, Theirs, Threads
from acemaker.labeling.processes import Processes
from acemaker.labeling.slurm import Slurm
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import ProcessOracle, is_inline, make_oracle
from acemaker.utils.dotted_path import imported

GivenExecutor = Executor | Callable[[], Executor]
"""An executor of the user's own, or what makes one."""


def make_place(
    labelling: LabellingConfig,
    oracle: OracleConfig,
    elements: tuple[str, ...],
    *,
    folder: Path,
    keep: Path | None = None,
    own: Oracle | None = None,
    given: GivenExecutor | None = None,
) -> Place:
    """Make the place where labels are made; nothing is started before it gets a job.

    Parameters
    ----------
    labelling
        Which.
    oracle
        What labels.
    elements
        Of the system.
    folder
        For what it keeps between two lives of the campaign.
    keep
        Folder for what failed calculations have written; None for none.
    own
        An oracle object of the user's, instead.
    given
        An executor of the user's, or a callable that makes one, instead.

    Returns
    -------
    Place

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If oracle or executor cannot work: files, packages or programs are missing.
    """
    kind = labelling.executor
    if kind == "files":
        return Files(folder / "elsewhere", oracle, elements)
    if given is None and kind == "threads":
        return _in_threads(labelling.n_workers, oracle, elements, keep, own)
    function = _function(oracle, elements, keep, own, sent=given is None)
    if isinstance(given, Executor):
        return Theirs(function, given, oracle.scratch)
    if given is not None:
        return Pool(function, given, "the executor that was given", scratch=oracle.scratch)
    if kind == "processes":
        return Processes(function, labelling.n_workers, labelling.executor_arguments)
    if kind == "slurm":
        return Slurm(function, folder / "slurm", labelling.executor_arguments)
    if kind == "dask":
        return DaskPool(function, labelling.n_workers, labelling.executor_arguments)
    factory = imported(kind, "LabellingConfig.executor", "returns a concurrent.futures.Executor")
    return Pool(function, partial(factory, **labelling.executor_arguments), kind, scratch=oracle.scratch)


def _in_threads(
    n_workers: int, oracle: OracleConfig, elements: tuple[str, ...], keep: Path | None, own: Oracle | None
) -> Place:
    """Wait in threads for processes; what is labelled in this process itself goes one by one."""
    if own is not None:
        return Here(own)
    if is_inline(oracle):  # neither LAMMPS nor anybody's calculator can be trusted in two threads
        return Here(make_oracle(oracle, elements, keep))
    stop = threading.Event()
    labeller = ProcessOracle(oracle, elements, keep, stop.is_set)
    return Threads(partial(have_labelled, oracle=labeller, stopped=stop.is_set), stop, n_workers)


def _function(
    oracle: OracleConfig, elements: tuple[str, ...], keep: Path | None, own: Oracle | None, *, sent: bool
) -> Function:
    """Return what a worker does, wherever it is."""
    if own is not None:
        return partial(have_labelled, oracle=own)
    if sent and oracle.oracle.startswith("__main__:"):
        raise ConfigError(
            f"OracleConfig.oracle: {oracle.oracle!r} lives in the main program, which workers elsewhere cannot import; "
            "put the callable into a module of its own"
        )
    make_oracle(oracle, elements, keep)  # what is missing is missed now
    return partial(make_label, recipe=Recipe.of(oracle, elements, keep), owner=os.getpid())
