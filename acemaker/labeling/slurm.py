"""SLURM, through executorlib: a job a label, which outlives this process and is found again by the next."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from acemaker.errors import Cause, ConfigError, MissingLibraryError
from acemaker.labeling.backend import Place
from acemaker.labeling.job import Answer, Job, failure
from acemaker.labeling.slurm_watch import keep_watching
from acemaker.oracles.output_messages import last_words, texts

OURS = ("output", "job-name", "chdir", "array", "dependency", "wrap", "parsable", "requeue")
"""Options of sbatch that are not for users to give."""

STILL_THERE = 1.5
"""Seconds that executorlib gets to look for the answers of jobs that were submitted before."""


def check_slurm(arguments: dict[str, Any]) -> None:
    """Look for what jobs are submitted with.

    Parameters
    ----------
    arguments
        As for `submission_script`.

    Raises
    ------
    MissingLibraryError
        If executorlib, what it needs, or sbatch is missing.
    ConfigError
        If an option cannot be one of sbatch.
    """
    submission_script(arguments)
    _executor_class()
    if shutil.which("sbatch") is None:
        raise MissingLibraryError("executor 'slurm' needs sbatch, which is not on PATH; run where jobs are submitted")


def submission_script(arguments: dict[str, Any]) -> str:
    """Write the script of a job, with two places left for executorlib to fill in.

    Parameters
    ----------
    arguments
        Options of sbatch by their long names, and ``setup``, shell commands that come first.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If an option is not the user's to give, or not one line.
    """
    options = {str(name).replace("_", "-"): value for name, value in arguments.items() if name != "setup"}
    setup = arguments.get("setup", ())
    setup = (setup,) if isinstance(setup, str) else tuple(setup)
    for name, value in options.items():
        if name in OURS or any(character in f"{name}{value}" for character in "\n\r{}"):
            raise ConfigError(
                f"LabellingConfig.executor_arguments: {name}={value!r} cannot be given; expected options of sbatch by "
                "their long names, such as {'partition': 'long', 'time': '02:00:00', 'ntasks': 16}, and setup"
            )
    lines = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
    # a job of the same label that is left over from a killed notebook comes first, and makes the second one needless
    lines += [
        "--output=slurm.out",
        "--job-name={{job_name}}",
        "--chdir={{working_directory}}",
        "--dependency=singleton",
    ]
    body = "\n".join(["{% raw %}export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}", *setup, "{% endraw %}{{command}}"])
    return "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), body])


class Slurm(Place):
    """Jobs of SLURM.

    Parameters
    ----------
    function
        Makes a label; the nodes must be able to import it, and see `cache`.
    cache
        Folder of executorlib's files, by which it knows jobs that were submitted before.
    arguments
        As for `submission_script`.

    Notes
    -----
    A job is submitted anew by another executor of the same folder than the one that it failed in.
    """

    where = "SLURM"
    patience = STILL_THERE
    outlives = True

    def __init__(self, function: Callable[[Job], Answer], cache: Path, arguments: dict[str, Any]) -> None:
        check_slurm(arguments)
        for path in (str(cache), sys.executable):
            if shlex.quote(path) != path:
                raise ConfigError(f"executor 'slurm' takes no path that a shell would have to quote, got {path!r}")
        self._function, self._cache, self._arguments = function, cache, arguments
        self._executors: list[Any] = []
        self._handed: set[str] = set()

    def submit(self, job: Job) -> Future[Answer]:
        """Submit a job, or find the one that was submitted before."""
        resources = {
            "cores": 1,  # of executorlib's own process; the options of sbatch say what the job gets
            "cache_key": job.key,
            "job_name": f"acemaker-{job.key}",
            "submission_template": submission_script(self._arguments),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that executorlib passes on without knowing them
            if job.key in self._handed or not self._executors:
                # an executor takes a job that comes again for the one that it has just given up, and waits for ever
                self._executors.append(_executor_class()(cache_directory=str(self._cache), refresh_rate=0.2))
                self._handed.clear()
            self._handed.add(job.key)
            future: Future[Answer] = self._executors[-1].submit(self._function, job, resource_dict=resources)
        return future

    def explain(self, job: Job, error: Exception) -> Answer:
        """Say why a job came back without an answer, in SLURM's words and its own."""
        if isinstance(error, subprocess.CalledProcessError):
            # it would do so of every other one, too
            words, asked = " ".join(str(error.output).split()), "squeue" in str(error.cmd)
            said = f"squeue did not answer: {words}" if asked else f"sbatch refused the job: {words}"
            return failure(said, Cause.PROGRAM_MISSING)
        said = last_words(texts(self._cache / job.key)) if (self._cache / job.key).is_dir() else "it said nothing"
        died = "terminated without producing output" in str(error)
        message = f"the job of candidate {job.candidate} ended without an answer ({error}): {said}"
        return failure(message, Cause.KILLED if died else Cause.FAILED)

    def forget(self, job: Job) -> None:
        """Delete executorlib's files of a job, lest a failure be found again instead of tried again."""
        for suffix in ("_i.h5", "_r.h5", "_o.h5"):
            (self._cache / f"{job.key}{suffix}").unlink(missing_ok=True)
        shutil.rmtree(self._cache / job.key, ignore_errors=True)

    def note(self, job: Job) -> str:
        """Name the job."""
        with contextlib.suppress(Exception):  # whatever h5py raises for a file that is being written
            from executorlib.standalone.hdf import get_queue_id

            number = get_queue_id(str(self._cache / f"{job.key}_i.h5"))
            return "" if number is None else f"job {number}"
        return ""

    def rest(self) -> bool:
        """Wait until the jobs are submitted, and stop to watch them: its thread would keep Python from ending."""
        self.leave()
        return True

    def leave(self) -> None:
        """Wait until the jobs are submitted, and let them go on."""
        self._let_go(cancel=False)

    def end(self) -> None:
        """Cancel the jobs."""
        self._let_go(cancel=True)

    def _let_go(self, *, cancel: bool) -> None:
        while self._executors:
            self._executors.pop().shutdown(wait=False, cancel_futures=cancel)
        self._handed.clear()


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
    keep_watching()
    return SlurmClusterExecutor
