"""Worker that labels one structure in the current folder, run as ``python -m acemaker.oracles.worker``.

The folder contains the job. The calculation runs in the subfolder ``run``; the result is written to the folder itself.
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
from acemaker.oracles.oracle import STRESS_FAILURE
from acemaker.structures.per_atom import MOMENTS

JOB, STRUCTURE, LABEL, FAILURE, RUN = "job.json", "structure.npz", "label.npz", "failure.json", "run"
"""Names of the files of a job, and of the subfolder in which the calculation runs."""


def write_job(folder: Path, config: OracleConfig, elements: tuple[str, ...], atoms: Atoms, campaign: str = "") -> None:
    """Write the oracle and the structure, bit for bit, to a folder.

    Parameters
    ----------
    folder
        An empty folder.
    config
        The oracle.
    elements
        Elements of the system.
    atoms
        The structure.
    campaign
        Identifier of the campaign that may recover the label; empty for none.
    """
    # absolute paths, so that the worker finds the same modules from another folder
    path = [str(Path(entry).absolute()) for entry in sys.path]
    job = {"config": config.model_dump(mode="json"), "elements": elements, "path": path, "campaign": campaign}
    (folder / JOB).write_text(json.dumps(job))
    arrays = {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array, "pbc": atoms.pbc}
    if atoms.has(MOMENTS):
        arrays["magmoms"] = atoms.arrays[MOMENTS]  # ASE's name of the argument
    np.savez(folder / STRUCTURE, **arrays)
    (folder / RUN).mkdir()


def read_answer(folder: Path) -> tuple[dict[str, float | np.ndarray], str] | None:
    """Read the results of a job.

    Returns
    -------
    results : dict
        Energy, forces and, if available, stress and magnetic moments.
    stress_failure : str
        Error of the calculator if it failed to compute its stress; empty otherwise.

    None is returned if the job has not finished.

    Raises
    ------
    OracleError
        If the job failed.
    """
    if (folder / LABEL).is_file():
        # np.load of a path leaves a bad file open
        with (folder / LABEL).open("rb") as stream, np.load(stream) as results:
            values = dict(results)
            failure = str(values.pop(STRESS_FAILURE, ""))
            return {name: float(value) if value.ndim == 0 else value for name, value in values.items()}, failure
    if (folder / FAILURE).is_file():
        written = json.loads((folder / FAILURE).read_text())
        cause = Cause(written["cause"])
        raise OracleError(written["message"].removeprefix(f"{cause}: "), cause)
    return None


def main(folder: Path) -> None:
    """Run the job of a folder."""
    job = json.loads((folder / JOB).read_text())
    sys.path[:] = job["path"]
    with np.load(folder / STRUCTURE) as arrays:
        atoms = Atoms(**arrays)
    config = OracleConfig(**job["config"])
    os.chdir(folder / RUN)
    try:
        labeled = _label(config, tuple(job["elements"]), atoms, folder / RUN)
    except OracleError as error:
        # atomically, since the parent process reads the result
        _write(folder / FAILURE, json.dumps({"cause": error.cause, "message": str(error)}).encode())
        return
    assert labeled.calc is not None
    results = dict(labeled.calc.results)
    if STRESS_FAILURE in labeled.info:
        results[STRESS_FAILURE] = np.asarray(labeled.info[STRESS_FAILURE])
    np.savez(folder / "part.npz", **results)
    (folder / "part.npz").replace(folder / LABEL)


def _label(config: OracleConfig, elements: tuple[str, ...], atoms: Atoms, run: Path) -> Atoms:
    from acemaker.oracles.oracle import CalculatorOracle

    try:
        labeled = CalculatorOracle.from_config(config, elements, run).label(atoms)
    except MissingLibraryError as error:
        raise OracleError(str(error), Cause.PROGRAM_MISSING) from error
    except ConfigError as error:
        cause = Cause.BAD_PSEUDOPOTENTIAL if config.oracle == "espresso" else Cause.PROGRAM_MISSING
        raise OracleError(str(error), cause) from error
    except OracleError as error:
        if config.oracle == "espresso":
            from acemaker.oracles.espresso import check_programs

            check_programs(run)  # of two in one folder, one may have failed because of the other
        if error.cause is Cause.NONSENSE:
            _check_run(config, run)  # raises the reason for the implausible result, if any
        raise
    if config.oracle == "espresso":
        from acemaker.oracles.espresso import OUTPUT, check_applied, check_output

        check_output(config, run)
        check_applied(config, atoms, (run / OUTPUT).read_text(errors="replace"))
    _check_run(config, run)
    return labeled


def _check_run(config: OracleConfig, run: Path) -> None:
    """Check that a result was written by a single program whose SCF converged."""
    from acemaker.oracles.output_messages import unconverged

    if config.oracle == "espresso":
        from acemaker.oracles.espresso import check_programs

        check_programs(run)
    if message := unconverged(run):
        raise OracleError(f"the calculator returned a result, but its program reports: {message}", Cause.NOT_CONVERGED)


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    main(Path.cwd())
