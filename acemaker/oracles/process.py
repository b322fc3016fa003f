"""An oracle that labels each structure in a separate process and folder, within a time limit."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import Cause, OracleError
from acemaker.lammps.paths import plain_temporary_folder
from acemaker.oracles.checks import check_geometry, check_label
from acemaker.oracles.espresso import with_absolute_paths
from acemaker.oracles.factory import UNIVERSAL, calculator_factory, with_absolute_files
from acemaker.oracles.oracle import STRESS_FAILURE, CalculatorOracle, Oracle, with_results
from acemaker.oracles.output_messages import is_disk_full, last_output, read_outputs
from acemaker.oracles.recover import recover
from acemaker.oracles.scf_retries import Attempt, attempts
from acemaker.oracles.scratch import cause_of, save_outputs, scratch_folder, sweep
from acemaker.oracles.worker import read_answer, write_job
from acemaker.process.child import OUTPUT, ChildProcess, describe_status

INLINE = ("emt", "lammps")
"""Oracles that are faster than the start of a process, and do not hang."""


def is_inline(config: OracleConfig) -> bool:
    """Return whether labels are computed in the current process."""
    # objects of the main program cannot be imported in another process
    inline = config.oracle in (*INLINE, *UNIVERSAL) or config.oracle.startswith("__main__:")
    return config.label_process == "this" or (config.label_process == "auto" and inline)


def make_oracle(
    config: OracleConfig,
    elements: tuple[str, ...],
    failures: Path | None = None,
    store: Callable[[Atoms], None] = lambda _: None,
) -> Oracle:
    """Create the configured oracle, in this process or in separate processes.

    Parameters
    ----------
    config
        The oracle and its settings.
    elements
        Elements of the system.
    failures
        Folder for the output of failed calculations, which also identifies the campaign; None to discard the output.
    store
        Called with each label before its folder is deleted, to save the label.

    Returns
    -------
    Oracle

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If files, packages or programs are missing.
    """
    if is_inline(config):
        return CalculatorOracle.from_config(config, elements)
    return ProcessOracle(config, elements, failures, store=store)


class ProcessOracle:
    """Oracle that computes each label in a separate process.

    The process and all of its child processes are killed at the time limit, at Ctrl-C, and when this process ends, also
    by SIGKILL.

    Parameters
    ----------
    config
        The oracle.
    elements
        Elements of the system.
    failures
        Folder for the output of failed calculations; None to discard it.
    stopped
        Returns whether a thread that waits for a label should give up.
    store
        Called with each label before its folder is deleted.

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If files, packages or programs are missing.
    """

    def __init__(
        self,
        config: OracleConfig,
        elements: tuple[str, ...],
        failures: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
        store: Callable[[Atoms], None] = lambda _: None,
    ) -> None:
        calculator_factory(config, elements)
        self._config = with_absolute_paths(config) if config.oracle == "espresso" else with_absolute_files(config)
        self._elements = elements
        self._failures = failures
        self._stopped = stopped
        self._store = store
        sweep(config.scratch)

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure, and retry with more conservative settings if the SCF does not converge.

        Parameters
        ----------
        atoms
            The structure; it is not changed.

        Returns
        -------
        Atoms
            A copy with the results; ``info["label_settings"]`` is the name of the settings if they differ from the
            configured ones.

        Raises
        ------
        OracleError
            If all attempts fail; the message states the cause, the attempts and the folder of the outputs.
        """
        check_geometry(atoms, self._config.min_label_distance)
        if self._config.oracle == "espresso" and not atoms.pbc.all():
            raise OracleError(
                "Quantum ESPRESSO needs a cell that is periodic in all directions; put a molecule in a box",
                Cause.BAD_STRUCTURE,
            )
        names: list[str] = []
        retries = attempts(self._config)
        for attempt in retries:
            names.append(attempt.name)
            try:
                labeled = self._try(atoms, attempt, last=attempt is retries[-1])
            except OracleError as error:
                if error.cause is Cause.NOT_CONVERGED and attempt is not retries[-1]:
                    continue
                if len(names) == 1:
                    raise
                message = str(error).removeprefix(f"{error.cause}: ")
                raise OracleError(f"{message} (tried: {', '.join(names)})", error.cause) from error
            if len(names) > 1:
                labeled.info["label_settings"] = attempt.name
            return labeled
        raise AssertionError("there are no attempts")

    def _try(self, atoms: Atoms, attempt: Attempt, *, last: bool) -> Atoms:
        """Label a structure with the settings of one attempt."""
        with scratch_folder(self._config.scratch) as folder:
            try:
                results, stress_failure = self._compute(folder, atoms, attempt.config)
                labeled = with_results(atoms, results)
                if stress_failure:
                    labeled.info[STRESS_FAILURE] = stress_failure
                check_label(labeled, self._config.max_force, self._config.max_net_force)
            except OracleError as error:
                is_retried = error.cause is Cause.NOT_CONVERGED and not last
                is_final = self._failures is not None and not is_retried and not self._stopped()
                saved = save_outputs(folder, self._failures) if is_final and self._failures is not None else None
                if saved is None:
                    raise
                message = str(error).removeprefix(f"{error.cause}: ")
                raise OracleError(f"{message}; outputs are in {saved}", error.cause) from error
            self._store(labeled)
            return labeled

    def _compute(self, folder: Path, atoms: Atoms, config: OracleConfig) -> tuple[dict[str, float | np.ndarray], str]:
        """Start the worker, wait for it, and read its result, unless a finished label can be recovered."""
        limit = config.oracle_timeout
        try:
            write_job(folder, config, self._elements, atoms, str(self._failures or ""))
            if recover(folder, config.scratch) and (recovered := read_answer(folder)) is not None:
                return recovered
            child = ChildProcess(
                [sys.executable, "-m", "acemaker.oracles.worker"],
                folder,
                {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), **_temporary_folder()},
            )
        except OSError as error:
            raise OracleError(f"cannot write the job: {error}", cause_of(error)) from error
        try:
            status = _wait(child, limit, self._stopped)
        finally:
            child.end()
        if self._stopped():
            raise OracleError("the label was canceled", Cause.KILLED)
        if not folder.is_dir():
            raise OracleError(f"{folder} was deleted while the label was computed in it", Cause.SCRATCH_LOST)
        if status is None:
            raise OracleError(
                f"no label within oracle_timeout = {limit:g} s; its processes were killed; "
                f"last output: {last_output(read_outputs(folder))}",
                Cause.TIMED_OUT,
            )
        answer = read_answer(folder)
        if answer is not None:
            return answer
        output = last_output([pair for pair in read_outputs(folder) if pair[0].name == OUTPUT])
        cause = Cause.KILLED if status > 128 else Cause.DISK_FULL if is_disk_full(output) else Cause.FAILED
        raise OracleError(f"the labeling process failed ({describe_status(status)}): {output}", cause)


def _temporary_folder() -> dict[str, str]:
    """Return a setting of TMPDIR for the program if Open MPI would crash with the current one."""
    return {"TMPDIR": str(plain_temporary_folder())} if "*" in tempfile.gettempdir() else {}


def _wait(child: ChildProcess, limit: float, stopped: Callable[[], bool]) -> int | None:
    """Wait for a child and return its exit status; None at the time limit, or if the label was canceled."""
    deadline = time.monotonic() + limit
    while (status := child.poll()) is None:
        if time.monotonic() > deadline or stopped():
            return None
        time.sleep(0.05)
    return status
