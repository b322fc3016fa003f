"""Check of an oracle that labels in its own processes: all calls in one of them, run as ``python -m``.

Its folder contains a job as for a label, and afterwards the result of the check.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import OracleError
from acemaker.oracles.consistency import CHEAP, Finding, OracleCheck, check_consistency
from acemaker.oracles.factory import with_absolute_files
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.oracles.scratch import scratch_folder
from acemaker.oracles.worker import JOB, RUN, STRUCTURE, write_job
from acemaker.process.child import ChildProcess

RESULT = "check.json"
"""File with the result of the check."""

LIMIT = 20.0
"""Seconds after which an oracle counts as expensive: a process is started, and up to six structures are labeled."""


def check_in_process(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms) -> OracleCheck | None:
    """Check an oracle in a process of its own, which is killed if it takes long.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.
    atoms
        A structure that it will label.

    Returns
    -------
    OracleCheck or None
        None if the oracle is expensive, or cannot label the structure, which its first label will report.
    """
    with contextlib.suppress(OracleError, OSError), scratch_folder(config.scratch) as folder:
        write_job(folder, with_absolute_files(config), elements, atoms)
        command = [sys.executable, "-m", "acemaker.oracles.trial"]
        child = ChildProcess(command, folder, {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")})
        try:
            deadline = time.monotonic() + min(LIMIT, config.oracle_timeout)
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            child.end()
        if (folder / RESULT).is_file():
            result = json.loads((folder / RESULT).read_text())
            findings = tuple(Finding(**finding) for finding in result.pop("findings"))
            return OracleCheck(**{**result, "findings": findings, "name": f"'{config.oracle}'"})
    return None


def main(folder: Path) -> None:
    """Check the oracle of a job; nothing is written if it cannot label."""
    job = json.loads((folder / JOB).read_text())
    sys.path[:] = job["path"]
    with np.load(folder / STRUCTURE) as arrays:
        atoms = Atoms(**arrays)
    os.chdir(folder / RUN)
    config = OracleConfig(**job["config"])
    label = CalculatorOracle.from_config(config, tuple(job["elements"]), folder / RUN).without_limits().label
    check = check_consistency(label, atoms, cheap=CHEAP, isolated=False, max_net_force=config.max_net_force)
    part = folder / f"{RESULT}.part"
    part.write_text(json.dumps(asdict(check)))
    part.replace(folder / RESULT)


if __name__ == "__main__":
    main(Path.cwd())
