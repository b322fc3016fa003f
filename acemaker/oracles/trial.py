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
from acemaker.errors import ConfigError, OracleError
from acemaker.oracles.consistency import CHEAP, check_consistency
from acemaker.oracles.factory import calculator_factory, with_absolute_files
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.oracles.oracle_check import Finding, OracleCheck
from acemaker.oracles.scratch import scratch_folder
from acemaker.oracles.worker import JOB, RUN, STRUCTURE, write_job
from acemaker.process.child import ChildProcess

RESULT, REFUSAL = "check.json", "refusal.txt"
"""File with the result of the check, and file with the reason why there is no calculator."""

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

    Raises
    ------
    ConfigError
        If the calculator cannot be created, so that no structure at all could be labeled.
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
        if (folder / REFUSAL).is_file():
            raise ConfigError(f"OracleConfig.oracle: {config.oracle!r} {(folder / REFUSAL).read_text()}")
    return None


def main(folder: Path) -> None:
    """Check the oracle of a job; only its refusal is written if there is no calculator, and nothing if it fails."""
    job = json.loads((folder / JOB).read_text())
    sys.path[:] = job["path"]
    with np.load(folder / STRUCTURE) as arrays:
        atoms = Atoms(**arrays)
    os.chdir(folder / RUN)
    config = OracleConfig(**job["config"])
    if reason := obstacle_to_calculator(config, tuple(job["elements"])):
        _write(folder / REFUSAL, reason)
        return
    label = CalculatorOracle.from_config(config, tuple(job["elements"]), folder / RUN).without_limits().label
    check = check_consistency(label, atoms, cheap=CHEAP, isolated=False, max_net_force=config.max_net_force)
    _write(folder / RESULT, json.dumps(asdict(check)))


def obstacle_to_calculator(config: OracleConfig, elements: tuple[str, ...]) -> str:
    """Create the calculator of an oracle, and return why this is not possible.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.

    Returns
    -------
    str
        Continues a sentence that begins with the oracle; empty if the calculator can be created.
    """
    try:
        calculator = calculator_factory(config, elements)()
    except (Exception, SystemExit) as error:  # a user's callable may raise anything
        arguments = ", ".join(f"{name}={value!r}" for name, value in config.oracle_arguments.items())
        return (
            f"cannot create its calculator, it raised {type(error).__name__}: {error}; expected a callable that "
            f"returns an ASE calculator, and it was called with ({arguments}), the oracle_arguments"
        )
    if isinstance(calculator, type) or not callable(getattr(calculator, "get_potential_energy", None)):
        return (
            f"returned {calculator!r:.80} ({type(calculator).__name__}); expected a callable that returns an ASE "
            "calculator when it is called with the oracle_arguments"
        )
    return ""


def _write(file: Path, text: str) -> None:
    """Write a file that the parent process may read at any time."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text)
    part.replace(file)


if __name__ == "__main__":
    main(Path.cwd())
