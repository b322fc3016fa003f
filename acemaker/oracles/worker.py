"""Labels one structure in the current folder, as python -m acemaker.oracles.worker.

The folder holds the job; the calculation runs in its folder ``run``, and the answer is written beside it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import Cause, ConfigError, MissingLibraryError, OracleError

JOB, STRUCTURE, LABEL, FAILURE, RUN = "job.json", "structure.npz", "label.npz", "failure.json", "run"
"""Names of the files of a job, and of the folder in which it is done."""


def write_job(folder: Path, config: OracleConfig, elements: tuple[str, ...], atoms: Atoms, campaign: str = "") -> None:
    """Write what is to be labelled, to the last bit.

    Parameters
    ----------
    folder
        An empty one.
    config
        The oracle.
    elements
        Of the system.
    atoms
        The structure.
    campaign
        What is the campaign's own; empty for none.
    """
    # modules that the configuration names are found as they are here, in whichever folder the job is done
    path = [str(Path(entry).absolute()) for entry in sys.path]
    job = {"config": config.model_dump(mode="json"), "elements": elements, "path": path, "campaign": campaign}
    (folder / JOB).write_text(json.dumps(job))
    np.savez(folder / STRUCTURE, numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc)
    (folder / RUN).mkdir()


def read_answer(folder: Path) -> dict[str, float | np.ndarray] | None:
    """Read the results of a job.

    Returns
    -------
    dict or None
        Energy, forces and, where there is one, stress; None if there is no answer.

    Raises
    ------
    OracleError
        If the answer is that it failed.
    """
    if (folder / LABEL).is_file():
        with (folder / LABEL).open("rb") as stream, np.load(stream) as results:  # numpy leaves a bad file open
            return {name: float(value) if value.ndim == 0 else value for name, value in results.items()}
    if (folder / FAILURE).is_file():
        failure = json.loads((folder / FAILURE).read_text())
        cause = Cause(failure["cause"])
        raise OracleError(failure["message"].removeprefix(f"{cause}: "), cause)
    return None


def main(folder: Path) -> None:
    """Do the job of a folder."""
    job = json.loads((folder / JOB).read_text())
    sys.path[:] = job["path"]
    with np.load(folder / STRUCTURE) as arrays:
        atoms = Atoms(**arrays)
    config = OracleConfig(**job["config"])
    os.chdir(folder / RUN)
    try:
        labelled = _label(config, tuple(job["elements"]), atoms, folder / RUN)
    except OracleError as error:
        # whole or not at all: the answer is what the parent goes by
        _write(folder / FAILURE, json.dumps({"cause": error.cause, "message": str(error)}).encode())
        return
    assert labelled.calc is not None
    np.savez(folder / "part.npz", **labelled.calc.results)
    (folder / "part.npz").replace(folder / LABEL)


def _label(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms, run: Path) -> Atoms:
    from acemaker.oracles.oracle import CalculatorOracle

    try:
        labelled = CalculatorOracle.from_config(config, elements, run).label(atoms)
    except MissingLibraryError as error:
        raise OracleError(str(error), Cause.PROGRAM_MISSING) from error
    except ConfigError as error:
        cause = Cause.BAD_PSEUDOPOTENTIAL if config.oracle == "espresso" else Cause.PROGRAM_MISSING
        raise OracleError(str(error), cause) from error
    except OracleError as error:
        if error.cause is Cause.NONSENSE:
            _check_run(config, run)  # which would be the reason for it
        raise
    if config.oracle == "espresso":
        from acemaker.oracles.espresso import check_output

        check_output(config, run)
    _check_run(config, run)
    return labelled


def _check_run(config: OracleConfig, run: Path) -> None:
    """Look for why a result cannot be right: several programs wrote it, or its SCF did not converge."""
    from acemaker.oracles.output_messages import unconverged

    if config.oracle == "espresso":
        from acemaker.oracles.espresso import check_programs

        check_programs(run)
    if words := unconverged(run):
        raise OracleError(f"the calculator returned a result, but its program says: {words}", Cause.NOT_CONVERGED)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    main(Path.cwd())
