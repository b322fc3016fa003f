"""Labels that are computed elsewhere: a folder with the structure is written, and results are read from it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from acemaker.config import OracleConfig
from acemaker.errors import AcemakerError, Cause, ConfigError, OracleError
from acemaker.labeling.backend import Backend
from acemaker.labeling.job import Answer, Job, failure
from acemaker.oracles.checks import check_label
from acemaker.oracles.oracle import magnetic_results, with_results
from acemaker.oracles.output_messages import unconverged
from acemaker.structures.files import write_structures
from acemaker.structures.frames import check_declared_size
from acemaker.structures.per_atom import bare_copy

STRUCTURE, INPUT, README, FAILED = "structure.extxyz", "espresso.pwi", "README.txt", "failed"
"""Names of the files that are written, and of the file by which a user gives a label up."""

SAME = 1e-3
"""Å; maximum difference of positions and cells of a result from those that were written."""

TEXT = """\
Label structure.extxyz here: put a result with energy and forces of just this structure, atoms in this order, into this
folder, in any format that ASE reads (label.extxyz, espresso.pwo, OUTCAR, vasprun.xml, ...). If it cannot be done, write
the reason into a file named 'failed'.
"""


class Files(Backend):
    """Folders, one per label, to which users add results.

    Parameters
    ----------
    folder
        Parent of these folders.
    config
        Settings of the oracle, for its input and for the checks of a label.
    elements
        Elements of the system.
    every
        Seconds between two searches for results.
    """

    outlives = True

    def __init__(self, folder: Path, config: OracleConfig, elements: tuple[str, ...], every: float = 1.0) -> None:
        self.where = f"folders in {folder}"
        self.notice = (
            f"labels are computed elsewhere: the structures are in {folder}, and this waits for results there; Ctrl-C, "
            "and campaign.collect() later, work as well"
        )
        self._folder, self._config, self._elements, self._every = folder, config, elements, every
        if config.oracle == "espresso":
            from acemaker.oracles.pw_input import check_species

            check_species(config, elements)
            _pseudopotentials(config, elements)  # raises an error now if one is missing
        self._jobs: dict[Future[Answer], Job] = {}

    def submit(self, job: Job) -> Future[Answer]:
        """Write the folder of a job, unless it exists."""
        folder = self._of(job)
        if not (folder / README).is_file():
            bare = bare_copy(job.atoms)
            write_structures(folder / STRUCTURE, [bare])
            if self._config.oracle == "espresso":
                write_input(folder / INPUT, bare, self._config, self._elements)
            (folder / README).write_text(TEXT)
        future: Future[Answer] = Future()
        self._jobs[future] = job
        return future

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Search for results until there is one."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            for future in futures:
                answer = None if future.done() else self._answer(self._jobs[future])[0]
                if answer is not None:
                    future.set_result(answer)
            if any(future.done() for future in futures) or time.monotonic() >= deadline:
                return
            time.sleep(min(self._every, max(0.0, deadline - time.monotonic())))

    def note(self, job: Job) -> str:
        """Return the name of a job's folder, and what is wrong with results in it."""
        return f"{self._of(job).name}/{self._answer(job)[1]}"

    def leave(self) -> None:
        """Leave the folders where they are."""
        self._jobs.clear()

    def end(self) -> None:
        """Leave the folders where they are."""
        self._jobs.clear()

    def _of(self, job: Job) -> Path:
        return self._folder / f"{Path(job.label).stem}_{job.key[:8]}"

    def _answer(self, job: Job) -> tuple[Answer | None, str]:
        """Read the answer from a job's folder, or return None and what is wrong with the files there."""
        folder = self._of(job)
        if (folder / FAILED).is_file():
            reason = " ".join((folder / FAILED).read_text(errors="replace").split())
            return failure(f"given up by hand: {reason or 'no reason given'}", Cause.BAD_STRUCTURE), ""
        notes = []
        for file in sorted(folder.glob("*")):
            if file.is_file() and file.name not in (STRUCTURE, INPUT, README) and not file.name.startswith("."):
                try:
                    labeled = read_result(file, job.atoms)
                    self._check_applied(file, job.atoms)
                    check_label(labeled, self._config.max_force, self._config.max_net_force)
                    if message := unconverged(folder):
                        raise OracleError(message, Cause.NOT_CONVERGED)
                except AcemakerError as error:
                    notes.append(f": {file.name}: {error}")
                    continue
                return {"labeled": labeled, "seconds": 0.0}, ""
        return None, "; ".join(notes)

    def _check_applied(self, file: Path, atoms: Atoms) -> None:
        """Check that pw.x, if it computed a result, has applied the settings that another version ignores."""
        from acemaker.oracles.espresso import PROGRAM, check_applied

        text = file.read_text(errors="replace")
        if self._config.oracle == "espresso" and PROGRAM in text:
            check_applied(self._config, atoms, text)


def write_input(file: Path, atoms: Atoms, config: OracleConfig, elements: tuple[str, ...]) -> None:
    """Write an input of pw.x like that of the 'espresso' oracle.

    Parameters
    ----------
    file
        The file to write.
    atoms
        The structure.
    config
        Settings of the oracle.
    elements
        Elements of the system.

    Raises
    ------
    ConfigError
        If pseudopotentials are neither found nor named, or magnetic moments cannot be converted without them.
    """
    from acemaker.oracles.pw_input import pw_input

    files = _pseudopotentials(config, elements)
    text = pw_input(
        config,
        elements,
        atoms,
        files,
        _valence(config, files),
        version=_version(config),
        pseudo_dir=config.pseudo_dir,
    )
    file.write_text(text)


def _version(config: OracleConfig) -> tuple[int, ...]:
    """Return the version of pw.x if it is installed here; pw.x from 7.1 on stops at the input for older ones."""
    from acemaker.oracles.espresso import version_of

    try:
        return version_of(config) if config.hubbard else ()
    except OracleError:
        return ()


def _valence(config: OracleConfig, files: dict[str, str]) -> dict[str, float]:
    """Return the number of valence electrons by element, of the pseudopotentials that can be read here."""
    from acemaker.oracles.pseudopotentials import find_folder, read_header

    valence = {}
    for element, name in files.items():
        with contextlib.suppress(ConfigError):
            valence[element] = read_header(find_folder(config.pseudo_dir) / name).valence
    return valence


def _pseudopotentials(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    """Return the file name of each element's pseudopotential; files named in `config` need not exist here."""
    from acemaker.oracles.pseudopotentials import check_name, find_folder, find_pseudopotentials

    if not set(elements) - set(config.pseudopotentials):
        for name in config.pseudopotentials.values():
            check_name(name)
        return dict(config.pseudopotentials)
    pseudopotentials = find_pseudopotentials(find_folder(config.pseudo_dir), config.pseudopotentials, elements)
    return {pseudo.element: pseudo.path.name for pseudo in pseudopotentials}


def read_result(file: Path, asked: Atoms) -> Atoms:
    """Read a result, and compare its structure with the requested one.

    Parameters
    ----------
    file
        In any format that ASE reads.
    asked
        The requested structure.

    Returns
    -------
    Atoms
        The requested structure with the energy that the forces belong to, forces and, if there is one, stress.

    Raises
    ------
    OracleError
        If the file cannot be read, lacks energy or forces, or is of another structure.
    """
    from ase.io import read

    from acemaker.oracles.espresso import PROGRAM, read_structure

    try:
        check_declared_size(file)
        text = file.read_text(errors="replace")
        result = read_structure(text) if PROGRAM in text else read(file, do_not_split_by_at_sign=True)
        assert isinstance(result, Atoms)
        results = dict(result.calc.results) if result.calc is not None else {}
    except Exception as error:  # whatever ASE raises for a file that is still being written
        raise OracleError(f"cannot be read yet ({type(error).__name__}: {error})", Cause.NONSENSE) from error
    if "energy" not in results or "forces" not in results:
        raise OracleError("has no energy and forces yet", Cause.NONSENSE)
    if list(result.numbers) != list(asked.numbers):
        raise OracleError(
            f"is of {result.get_chemical_formula()}, or in another order of atoms; expected "
            f"{asked.get_chemical_formula()} as in {STRUCTURE}",
            Cause.NONSENSE,
        )
    if asked.pbc.any() and not np.allclose(result.cell.array, asked.cell.array, atol=SAME):
        raise OracleError(f"has another cell than {STRUCTURE}", Cause.NONSENSE)
    _, away = find_mic(result.positions - asked.positions, asked.cell, asked.pbc)
    if away.max() > SAME:
        raise OracleError(f"has atom {away.argmax()} {away.max():.3g} Å from where {STRUCTURE} has it", Cause.NONSENSE)
    taken = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    taken |= magnetic_results(results, asked)
    taken["energy"] = results.get("free_energy", results["energy"])
    return with_results(asked, taken)
