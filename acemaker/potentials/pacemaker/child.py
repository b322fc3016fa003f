"""Runs pacemaker as a child process: watched while it runs, ended with all that it started, and never run twice."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from acemaker.errors import FitError
from acemaker.potentials.optimizer import OptimiserVerdict
from acemaker.potentials.pacemaker.job import INPUT, OUTPUT_POTENTIAL, Job
from acemaker.potentials.pacemaker.metrics import METRICS, MetricsReader
from acemaker.potentials.pacemaker.optimizer_verdict import read_verdict
from acemaker.potentials.trainer import Listener
from acemaker.process.child import OUTPUT, ChildProcess, describe_status
from acemaker.process.folder import clean

FINISHED = "finished.json"
"""Written last: the fit in this folder is whole."""

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",  # a second one brought nothing, and the order of sums would change
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "MPLBACKEND": "Agg",
}
"""One thread of the processor, and quietly: then the same input gives the same bits."""


def run_fit(job: Job, folder: Path, python: Path, listener: Listener | None = None) -> OptimiserVerdict:
    """Run a fit, unless that very fit was finished in the folder before.

    Parameters
    ----------
    job
        What is to be fitted.
    folder
        Of the last fit; what is in it of another one is deleted.
    python
        That of pacemaker's environment.
    listener
        Called with each iteration.

    Returns
    -------
    OptimiserVerdict
        The potential is in the folder's ``output_potential.yaml``.

    Raises
    ------
    FitError
        If pacemaker dies, or leaves no potential.
    """
    known = _finished(folder, job.key)
    if known is not None:
        return known
    clean(folder)
    job.write(folder)
    fit = job.settings["fit"]
    reader = MetricsReader(folder / METRICS, fit["maxiter"])
    command = [str(python), "-I", "-m", "pyace.cli.pacemaker", INPUT, "--no-predict"]
    child = ChildProcess(command, folder, ENVIRONMENT)
    try:
        while (status := child.poll()) is None:
            for iteration in reader.read():
                if listener is not None:
                    listener(iteration)
            time.sleep(0.1)
    finally:
        child.end()
    for iteration in reader.read():
        if listener is not None:
            listener(iteration)
    log = folder / OUTPUT
    if status != 0 or not (folder / OUTPUT_POTENTIAL).is_file():
        end = describe_status(status) if status else "without a potential"
        raise FitError(f"pacemaker ended by {end}; what it was given is in {folder}", log)
    verdict = read_verdict(log.read_text(errors="replace"), fit["optimizer"], reader.last)
    _write(folder / FINISHED, json.dumps({"key": job.key, "verdict": asdict(verdict)}))
    return verdict


def _finished(folder: Path, key: str) -> OptimiserVerdict | None:
    """Return how a fit ended that was finished earlier."""
    if not (folder / FINISHED).is_file():
        return None
    found = json.loads((folder / FINISHED).read_text())
    if found["key"] != key:
        return None
    verdict = found["verdict"]
    return OptimiserVerdict(**{**verdict, "loss": tuple(verdict["loss"])})


def _write(path: Path, text: str) -> None:
    """Write a file as a whole; the potential beside it is on the disk before."""
    for name, content in ((OUTPUT_POTENTIAL, None), (f"writing_{path.name}", text)):
        part = path.with_name(name)
        if content is not None:
            part.write_text(content)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
    part.replace(path)
