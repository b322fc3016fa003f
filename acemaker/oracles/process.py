"""An oracle that labels each structure in a process and a folder of its own, within a time limit."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.errors import Cause, OracleError
from acemaker.oracles.checks import check_geometry, check_label
from acemaker.oracles.espresso import located
from acemaker.oracles.factory import calculator_factory
from acemaker.oracles.oracle import CalculatorOracle, Oracle, with_results
from acemaker.oracles.output_messages import last_words, tells_of_full_disk, texts
from acemaker.oracles.recover import claim
from acemaker.oracles.scf_retries import Attempt, attempts
from acemaker.oracles.scratch import cause_of, keep_texts, scratch_folder, sweep
from acemaker.oracles.worker import read_answer, write_job
from acemaker.process.child import OUTPUT, ChildProcess, describe_status

INLINE = ("emt", "lammps")
"""Oracles that are faster than starting a process, and do not hang."""


def is_inline(config: OracleConfig) -> bool:
    """Tell whether labels are made in the process that asks for them."""
    # what lives in the main program cannot be imported elsewhere
    inline = config.oracle in INLINE or config.oracle.startswith("__main__:")
    return config.label_process == "this" or (config.label_process == "auto" and inline)


def make_oracle(
    config: OracleConfig,
    elements: tuple[str, ...],
    keep: Path | None = None,
    home: Callable[[Atoms], None] = lambda _: None,
) -> Oracle:
    """Make the oracle that the configuration names, and have it run where the configuration says.

    Parameters
    ----------
    config
        Which, and how it is run.
    elements
        Of the system.
    keep
        Folder for what failed calculations have written, by which a campaign knows its own; None for none.
    home
        Takes a label to where it is safe, before its folder is deleted.

    Returns
    -------
    Oracle

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If it cannot work: files, packages or programs are missing.
    """
    if is_inline(config):
        return CalculatorOracle.from_config(config, elements)
    return ProcessOracle(config, elements, keep, home=home)


class ProcessOracle:
    """Labels in processes of their own.

    Whatever ends the wait for one, its time limit, Ctrl-C or the end of this process, also by SIGKILL, ends it
    with all that it has started.

    Parameters
    ----------
    config
        The oracle.
    elements
        Of the system.
    keep
        Folder for what failed calculations have written; None for none.
    stopped
        Tells a thread that waits for a label that nobody wants it any more.

    Raises
    ------
    ConfigError, MissingLibraryError, OracleError
        If files, packages or programs are missing.
    """

    def __init__(
        self,
        config: OracleConfig,
        elements: tuple[str, ...],
        keep: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
        home: Callable[[Atoms], None] = lambda _: None,
    ) -> None:
        calculator_factory(config, elements)
        self._config = located(config) if config.oracle == "espresso" else config
        self._elements = elements
        self._keep = keep
        self._stopped = stopped
        self._home = home
        sweep(config.scratch)

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure, with gentler settings if the SCF does not converge.

        Parameters
        ----------
        atoms
            The structure; it is not changed.

        Returns
        -------
        Atoms
            A copy with the results; settings other than the configured ones are named in its
            ``info["label_settings"]``.

        Raises
        ------
        OracleError
            If there is no credible label; says why, what was tried and where the outputs are.
        """
        check_geometry(atoms, self._config.min_label_distance)
        if self._config.oracle == "espresso" and not atoms.pbc.all():
            raise OracleError(
                "Quantum ESPRESSO needs a cell that is periodic in all directions; give a molecule a box",
                Cause.BAD_STRUCTURE,
            )
        tried: list[str] = []
        ladder = attempts(self._config)
        for attempt in ladder:
            tried.append(attempt.name)
            try:
                labelled = self._try(atoms, attempt, last=attempt is ladder[-1])
            except OracleError as error:
                if error.cause is Cause.NOT_CONVERGED and attempt is not ladder[-1]:
                    continue
                if len(tried) == 1:
                    raise
                message = str(error).removeprefix(f"{error.cause}: ")
                raise OracleError(f"{message} (tried: {', '.join(tried)})", error.cause) from error
            if len(tried) > 1:
                labelled.info["label_settings"] = attempt.name
            return labelled
        raise AssertionError("the ladder has no rungs")

    def _try(self, atoms: Atoms, attempt: Attempt, *, last: bool) -> Atoms:
        """Label with one rung's settings."""
        with scratch_folder(self._config.scratch) as folder:
            try:
                labelled = with_results(atoms, self._compute(folder, atoms, attempt.config))
                check_label(labelled, self._config.max_force, self._config.max_net_force)
            except OracleError as error:
                climbs = error.cause is Cause.NOT_CONVERGED and not last
                worth = self._keep is not None and not climbs and not self._stopped()
                kept = keep_texts(folder, self._keep) if worth and self._keep is not None else None
                if kept is None:
                    raise
                message = str(error).removeprefix(f"{error.cause}: ")
                raise OracleError(f"{message}; outputs are in {kept}", error.cause) from error
            self._home(labelled)
            return labelled

    def _compute(self, folder: Path, atoms: Atoms, config: OracleConfig) -> dict[str, float | np.ndarray]:
        """Start the worker, wait for it, and read its answer; one that was paid for already is taken over."""
        limit = config.oracle_timeout
        try:
            write_job(folder, config, self._elements, atoms, str(self._keep or ""))
            if claim(folder, config.scratch) and (paid := read_answer(folder)) is not None:
                return paid
            child = ChildProcess(
                [sys.executable, "-m", "acemaker.oracles.worker"],
                folder,
                {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
            )
        except OSError as error:
            raise OracleError(f"the job cannot be written: {error}", cause_of(error)) from error
        try:
            status = _wait(child, limit, self._stopped)
        finally:
            child.end()
        if self._stopped():
            raise OracleError("the label was given up", Cause.KILLED)
        if not folder.is_dir():
            raise OracleError(f"{folder} was deleted while the label was computed in it", Cause.SCRATCH_LOST)
        if status is None:
            raise OracleError(
                f"no label within oracle_timeout = {limit:g} s; everything that it started was ended; "
                f"its last words: {last_words(texts(folder))}",
                Cause.TIMED_OUT,
            )
        results = read_answer(folder)
        if results is not None:
            return results
        said = last_words([pair for pair in texts(folder) if pair[0].name == OUTPUT])
        cause = Cause.KILLED if status > 128 else Cause.DISK_FULL if tells_of_full_disk(said) else Cause.FAILED
        raise OracleError(f"the process that labels ended by {describe_status(status)}: {said}", cause)


def _wait(child: ChildProcess, limit: float, stopped: Callable[[], bool]) -> int | None:
    """Wait for a child; None if the time is up, or nobody wants it any more."""
    deadline = time.monotonic() + limit
    while (status := child.poll()) is None:
        if time.monotonic() > deadline or stopped():
            return None
        time.sleep(0.05)
    return status
