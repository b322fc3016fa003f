"""Creates the backend that the configuration names, or one for the user's executor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from acemaker.config import LabelingConfig, OracleConfig
from acemaker.errors import ConfigError
from acemaker.labeling.backend import Backend, InlineBackend
from acemaker.labeling.dask import DaskPool
from acemaker.labeling.files import Files
from acemaker.labeling.pools import Function, Pool, Processes, Threads, UserExecutorBackend
from acemaker.labeling.slurm import Slurm
from acemaker.labeling.worker import Recipe, have_labeled, make_label
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import ProcessOracle, is_inline, make_oracle
from acemaker.utils.dotted_path import import_callable

GivenExecutor = Executor | Callable[[], Executor]
"""An executor of the user, or a callable that returns one."""


def make_backend(
    labeling: LabelingConfig,
    oracle: OracleConfig,
    elements: tuple[str, ...],
    *,
    folder: Path,
    keep: Path | None = None,
    own: Oracle | None = None,
    given: GivenExecutor | None = None,
) -> Backend:
    """Create the backend that computes labels; it starts nothing before the first job.

    Parameters
    ----------
    labeling
        Executor and its settings.
    oracle
        Settings of the oracle.
    elements
        Elements of the system.
    folder
        Folder for files that are needed after the campaign was reopened.
    keep
        Folder for the output of failed calculations; None for none.
    own
        The user's oracle object, instead of `oracle`.
    given
        The user's executor, or a callable that returns one, instead of that of `labeling`.

    Returns
    -------
    Backend

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If files, packages or programs that oracle or executor need are missing.
    """
    kind = labeling.executor
    if kind == "files":
        return Files(folder / "elsewhere", oracle, elements)
    if given is None and kind == "threads":
        return _in_threads(labeling.n_parallel_labels, oracle, elements, keep, own)
    function = _function(oracle, elements, keep, own, sent=given is None)
    if isinstance(given, Executor):
        return UserExecutorBackend(function, given, oracle.scratch)
    if given is not None:
        return Pool(function, given, "the user's executor", scratch=oracle.scratch)
    if kind == "processes":
        return Processes(function, labeling.n_parallel_labels, labeling.executor_arguments)
    if kind == "slurm":
        return Slurm(function, folder / "slurm", labeling.executor_arguments)
    if kind == "dask":
        return DaskPool(function, labeling.n_parallel_labels, labeling.executor_arguments)
    factory = import_callable(kind, "LabelingConfig.executor", "returns a concurrent.futures.Executor")
    return Pool(function, partial(factory, **labeling.executor_arguments), kind, scratch=oracle.scratch)


def _in_threads(
    n_parallel_labels: int, oracle: OracleConfig, elements: tuple[str, ...], keep: Path | None, own: Oracle | None
) -> Backend:
    """Return threads that wait for processes; labels of this process itself are computed one by one."""
    if own is not None:
        return InlineBackend(own)
    if is_inline(oracle):  # neither LAMMPS nor most calculators are thread-safe
        return InlineBackend(make_oracle(oracle, elements, keep))
    stop = threading.Event()
    labeler = ProcessOracle(oracle, elements, keep, stop.is_set)
    return Threads(partial(have_labeled, oracle=labeler, stopped=stop.is_set), stop, n_parallel_labels)


def _function(
    oracle: OracleConfig, elements: tuple[str, ...], keep: Path | None, own: Oracle | None, *, sent: bool
) -> Function:
    """Return the function that workers call, in whatever process."""
    if own is not None:
        return partial(have_labeled, oracle=own)
    if sent and oracle.oracle.startswith("__main__:"):
        raise ConfigError(
            f"OracleConfig.oracle: {oracle.oracle!r} is in the main program, which other processes cannot import; "
            "move the callable to a module"
        )
    make_oracle(oracle, elements, keep)  # raises an error now if something is missing
    return partial(make_label, recipe=Recipe.of(oracle, elements, keep), owner=os.getpid())
