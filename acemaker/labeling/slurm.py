"""SLURM jobs, through executorlib: one per label. They outlive this process, and the next one finds them."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from acemaker.errors import Cause, ConfigError, MissingLibraryError
from acemaker.labeling.backend import Backend
from acemaker.labeling.job import Answer, Job, failure
from acemaker.oracles.output_messages import last_output, read_outputs

UNSAFE = re.compile(r"[^\w@%+=:,./-]")
"""Characters that a shell interprets; letters and digits of all languages are not among them."""

RESERVED = ("output", "job-name", "chdir", "array", "dependency", "wrap", "parsable", "requeue")
"""Options of sbatch that users cannot set."""

POLL_TIMEOUT = 1.5
"""Seconds in which executorlib finds the answers of jobs that were submitted before."""

QUERIES = {"pysqa_job_output_validation": False, "pysqa_terminate": None}
"""Functions of executorlib that call ``squeue``, and their result if that fails: a job is not known to have died, and a
job that cannot be found is not cancelled."""


def check_slurm(arguments: dict[str, Any]) -> None:
    """Check that jobs can be submitted.

    Parameters
    ----------
    arguments
        As for `submission_script`.

    Raises
    ------
    MissingLibraryError
        If executorlib, its dependencies, or sbatch are missing.
    ConfigError
        If an option is none of sbatch.
    """
    submission_script(arguments)
    _executor_class()
    if shutil.which("sbatch") is None:
        raise MissingLibraryError("executor 'slurm' needs sbatch, which is not on PATH; run on a login node")


def submission_script(arguments: dict[str, Any]) -> str:
    """Return the script of a job, with two fields that executorlib fills in.

    Parameters
    ----------
    arguments
        Options of sbatch by their long names, and ``setup``, shell commands that run first.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If an option is reserved, or not a single line.
    """
    options = {str(name).replace("_", "-"): value for name, value in arguments.items() if name != "setup"}
    setup = arguments.get("setup", ())
    setup = (setup,) if isinstance(setup, str) else tuple(setup)
    for name, value in options.items():
        if name in RESERVED or any(character in f"{name}{value}" for character in "\n\r{}"):
            raise ConfigError(
                f"LabelingConfig.executor_arguments: {name}={value!r} cannot be set; expected options of sbatch by "
                "their long names, such as {'partition': 'long', 'time': '02:00:00', 'ntasks': 16}, and setup"
            )
    lines = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
    # if a killed notebook has left a job of the same label, that one runs first, and the second one finds its label
    lines += [
        "--output=slurm.out",
        "--job-name={{job_name}}",
        "--chdir={{working_directory}}",
        "--dependency=singleton",
    ]
    body = "\n".join(["{% raw %}export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}", *setup, "{% endraw %}{{command}}"])
    return "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), body])


class Slurm(Backend):
    """SLURM jobs.

    Parameters
    ----------
    function
        Computes a label; the nodes must be able to import it, and have access to `cache`.
    cache
        Folder of executorlib's files, in which it finds jobs that were submitted before.
    arguments
        As for `submission_script`.

    Notes
    -----
    A job that failed is submitted again by another executor of the same folder.
    """

    where = "SLURM"
    poll_timeout = POLL_TIMEOUT
    outlives = True

    def __init__(self, function: Callable[[Job], Answer], cache: Path, arguments: dict[str, Any]) -> None:
        check_slurm(arguments)
        for path in (str(cache), sys.executable):
            if UNSAFE.search(path):
                raise ConfigError(
                    f"executor 'slurm' takes no path that a shell would have to quote, got {path!r}; use a directory "
                    "and an environment whose paths consist of letters, digits and - _ . + : = @ % , /"
                )
        self._function, self._cache, self._arguments = function, cache, arguments
        self._executors: list[Any] = []
        self._submitted: set[str] = set()

    def submit(self, job: Job) -> Future[Answer]:
        """Submit a job, or find it if it was submitted before."""
        resources = {
            "cores": 1,  # of executorlib's own process; the options of sbatch set the resources of the job
            "cache_key": job.key,
            "job_name": f"acemaker-{job.key}",
            "submission_template": submission_script(self._arguments),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about keys that executorlib passes on without knowing them
            if job.key in self._submitted or not self._executors:
                # an executor mistakes a job that is submitted again for the one that has just failed, and waits forever
                self._executors.append(_executor_class()(cache_directory=str(self._cache), refresh_rate=0.2))
                self._submitted.clear()
            self._submitted.add(job.key)
            future: Future[Answer] = self._executors[-1].submit(self._function, job, resource_dict=resources)
        return future

    def explain(self, job: Job, error: Exception) -> Answer:
        """Convert an exception into an answer, with the messages of SLURM and of the job."""
        if isinstance(error, subprocess.CalledProcessError):
            output = " ".join(str(error.output).split())
            message = "squeue did not answer" if "squeue" in str(error.cmd) else "sbatch refused the job"
            return failure(f"{message}: {output}", Cause.PROGRAM_MISSING)  # as it would for every other job
        output = last_output(read_outputs(self._cache / job.key)) if (self._cache / job.key).is_dir() else "no output"
        died = "terminated without producing output" in str(error)
        message = f"the job of candidate {job.candidate} ended without an answer ({error}): {output}"
        return failure(message, Cause.KILLED if died else Cause.FAILED)

    def forget(self, job: Job) -> None:
        """Delete executorlib's files of a job, so that a failed job is tried again instead of found again."""
        for suffix in ("_i.h5", "_r.h5", "_o.h5"):
            (self._cache / f"{job.key}{suffix}").unlink(missing_ok=True)
        shutil.rmtree(self._cache / job.key, ignore_errors=True)

    def note(self, job: Job) -> str:
        """Return the number of a job."""
        with contextlib.suppress(Exception):  # h5py raises many exceptions for a file that is being written
            from executorlib.standalone.hdf import get_queue_id

            number = get_queue_id(str(self._cache / f"{job.key}_i.h5"))
            return "" if number is None else f"job {number}"
        return ""

    def rest(self) -> bool:
        """Wait until the jobs are submitted, and stop watching them: the thread would keep Python from ending."""
        self.leave()
        return True

    def leave(self) -> None:
        """Wait until the jobs are submitted, and let them continue."""
        self._shut_down(cancel=False)

    def end(self) -> None:
        """Cancel the jobs."""
        self._shut_down(cancel=True)

    def _shut_down(self, *, cancel: bool) -> None:
        while self._executors:
            self._executors.pop().shutdown(wait=False, cancel_futures=cancel)
        self._submitted.clear()


def _executor_class() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import h5py  # noqa: F401
            import pysqa  # noqa: F401
            from executorlib import SlurmClusterExecutor
    except ImportError as error:
        raise MissingLibraryError(
            f"executor 'slurm' needs executorlib, pysqa and h5py ({error}); pip install 'acemaker[slurm]'"
        ) from error
    _tolerate_failed_queries()
    return SlurmClusterExecutor


def _tolerate_failed_queries() -> None:
    """Make executorlib repeat a query of SLURM that fails.

    A controller that is restarted, or too busy to answer in time, makes ``squeue`` fail. In executorlib 1.11 this ends
    the thread that watches all jobs: none of their answers would arrive any more, and the shutdown of the executor
    would wait forever.
    """
    import executorlib.task_scheduler.file.task_scheduler as scheduler

    for name, default in QUERIES.items():
        query = getattr(scheduler, name, None)
        if query is not None and not hasattr(query, "__wrapped__"):
            setattr(scheduler, name, _with_default(query, default))


def _with_default(query: Callable[..., Any], default: object) -> Callable[..., Any]:
    @functools.wraps(query)
    def tolerant(*arguments: Any, **options: Any) -> Any:
        try:
            return query(*arguments, **options)
        except (subprocess.CalledProcessError, OSError):
            return default

    return tolerant
