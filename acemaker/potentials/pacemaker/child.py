"""Run pacemaker as a child process: report its iterations, end its process tree, and reuse finished fits."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from acemaker.errors import FitError
from acemaker.potentials.optimizer import OptimizerOutcome
from acemaker.potentials.pacemaker.job import INPUT, OUTPUT_POTENTIAL, Job
from acemaker.potentials.pacemaker.metrics import METRICS, MetricsReader
from acemaker.potentials.pacemaker.optimizer_outcome import read_outcome
from acemaker.potentials.trainer import Listener
from acemaker.process.child import OUTPUT, ChildProcess, describe_status
from acemaker.process.folder import create_empty_folder

FINISHED = "finished.json"
"""File that is written last and marks the fit in the folder as complete."""

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",  # a second thread was no faster and would change the order of sums
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "MPLBACKEND": "Agg",
}
"""One CPU thread, without a GPU and log output, so that the result is reproducible to the bit."""


def run_fit(job: Job, folder: Path, python: Path, listener: Listener | None = None) -> OptimizerOutcome:
    """Run a fit, unless the folder contains the result of the same fit.

    Parameters
    ----------
    job
        The fit.
    folder
        Working directory; files of other fits in it are deleted.
    python
        Python of pacemaker's environment.
    listener
        Called with each iteration.

    Returns
    -------
    OptimizerOutcome
        Outcome; the potential is in ``output_potential.yaml`` in the folder.

    Raises
    ------
    FitError
        If pacemaker fails or writes no potential.
    """
    finished = _finished(folder, job.key)
    if finished is not None:
        return finished
    create_empty_folder(folder)
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
        end = describe_status(status) if status else "no potential written"
        raise FitError(f"pacemaker failed ({end}); its input is in {folder}", log)
    outcome = read_outcome(log.read_text(errors="replace"), fit["optimizer"], reader.last)
    _write(folder / FINISHED, json.dumps({"key": job.key, "outcome": asdict(outcome)}))
    return outcome


def _finished(folder: Path, key: str) -> OptimizerOutcome | None:
    """Return the outcome of an earlier fit with the same key, or None."""
    if not (folder / FINISHED).is_file():
        return None
    content = json.loads((folder / FINISHED).read_text())
    if content["key"] != key:
        return None
    outcome = content["outcome"]
    return OptimizerOutcome(**{**outcome, "loss": tuple(outcome["loss"])})


def _write(path: Path, text: str) -> None:
    """Write a file atomically, after the potential has been flushed to disk."""
    for name, content in ((OUTPUT_POTENTIAL, None), (f"writing_{path.name}", text)):
        part = path.with_name(name)
        if content is not None:
            part.write_text(content)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
    part.replace(path)
