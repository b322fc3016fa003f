"""Labels that people have made elsewhere: a folder goes out with the structure, and comes back with a result."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from acemaker.config import OracleConfig
from acemaker.errors import AcemakerError, Cause, OracleError
from acemaker.labeling.backend import Place
from acemaker.labeling.job import Answer, Job, failure
from acemaker.oracles.checks import check_label
from acemaker.oracles.oracle import with_results
from acemaker.oracles.output_messages import unconverged
from acemaker.structures.files import write_structures
from acemaker.structures.frames import check_announced

STRUCTURE, INPUT, README, FAILED = "structure.extxyz", "espresso.pwi", "README.txt", "failed"
"""Names of what goes out, and of the file that says that nothing will come back."""

SAME = 1e-3
"""Å; positions and cells of a result may differ by so much from those that went out."""

TEXT = """\
Label structure.extxyz here: put a result with energy and forces of just this structure, atoms in this order, into this
folder, in any format that ASE reads (label.extxyz, espresso.pwo, OUTCAR, vasprun.xml, ...). If it cannot be done, write
the reason into a file named 'failed'.
"""


class Files(Place):
    """Folders, one a label, in which results are looked for.

    Parameters
    ----------
    folder
        In which they are made.
    config
        The oracle, for its input and for what is believed.
    elements
        Of the system.
    every
        Seconds between two looks.
    """

    outlives = True

    def __init__(self, folder: Path, config: OracleConfig, elements: tuple[str, ...], every: float = 1.0) -> None:
        self.where = f"folders in {folder}"
        self.notice = (
            f"labels are made elsewhere: what is to be labelled lies in {folder}, and this waits for results there; "
            "Ctrl-C, and campaign.collect() later, do as well"
        )
        self._folder, self._config, self._elements, self._every = folder, config, elements, every
        if config.oracle == "espresso":
            from acemaker.oracles.espresso import check_species

            check_species(config, elements)
            _pseudopotentials(config, elements)  # what is missing is missed now
        self._jobs: dict[Future[Answer], Job] = {}

    def submit(self, job: Job) -> Future[Answer]:
        """Write a job's folder, unless it is there."""
        folder = self._of(job)
        if not (folder / README).is_file():
            bare = Atoms(job.atoms.symbols, job.atoms.positions, cell=job.atoms.cell, pbc=job.atoms.pbc)
            write_structures(folder / STRUCTURE, [bare])
            if self._config.oracle == "espresso":
                write_input(folder / INPUT, bare, self._config, self._elements)
            (folder / README).write_text(TEXT)
        future: Future[Answer] = Future()
        self._jobs[future] = job
        return future

    def wait(self, futures: Collection[Future[Answer]], timeout: float | None) -> None:
        """Look for results until there is one."""
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
        """Say where a job's folder is, and why what lies in it does not count."""
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
        """Look into a job's folder; without an answer, say what is wrong with what lies there."""
        folder = self._of(job)
        if (folder / FAILED).is_file():
            reason = " ".join((folder / FAILED).read_text(errors="replace").split())
            return {**failure(f"given up by hand: {reason or 'no reason given'}", Cause.BAD_STRUCTURE)}, ""
        notes = []
        for file in sorted(folder.glob("*")):
            if file.is_file() and file.name not in (STRUCTURE, INPUT, README) and not file.name.startswith("."):
                try:
                    labelled = read_result(file, job.atoms)
                    check_label(labelled, self._config.max_force, self._config.max_net_force)
                    if words := unconverged(folder):
                        raise OracleError(words, Cause.NOT_CONVERGED)
                except AcemakerError as error:
                    notes.append(f": {file.name}: {error}")
                    continue
                return {"labelled": labelled, "seconds": 0.0}, ""
        return None, "; ".join(notes)


def write_input(file: Path, atoms: Atoms, config: OracleConfig, elements: tuple[str, ...]) -> None:
    """Write the input of pw.x as the 'espresso' oracle has it.

    Parameters
    ----------
    file
        Where to.
    atoms
        The structure.
    config
        The oracle.
    elements
        Of the system.

    Raises
    ------
    ConfigError
        If pseudopotentials are neither found nor named.
    """
    from ase.io import write

    from acemaker.oracles.espresso import input_for

    placed, settings = input_for(config, elements, atoms)
    if config.pseudo_dir:
        settings["control"]["pseudo_dir"] = config.pseudo_dir
    write(
        file,
        placed,
        format="espresso-in",
        input_data=settings,
        pseudopotentials=_pseudopotentials(config, elements),
        kspacing=config.kspacing,
        koffset=config.koffset,
    )


def _pseudopotentials(config: OracleConfig, elements: tuple[str, ...]) -> dict[str, str]:
    """Name a file for each element; named ones may be elsewhere, like the program."""
    from acemaker.oracles.pseudopotentials import find_folder, find_pseudopotentials

    if not set(elements) - set(config.pseudopotentials):
        return dict(config.pseudopotentials)
    found = find_pseudopotentials(find_folder(config.pseudo_dir), config.pseudopotentials, elements)
    return {pseudo.element: pseudo.path.name for pseudo in found}


def read_result(file: Path, asked: Atoms) -> Atoms:
    """Read a result, and compare its structure with the one that was asked about.

    Parameters
    ----------
    file
        In any format that ASE reads.
    asked
        The structure that went out.

    Returns
    -------
    Atoms
        The structure that went out, with the energy that the forces belong to, forces and, where there is one, stress.

    Raises
    ------
    OracleError
        If the file cannot be read, lacks energy or forces, or is of another structure.
    """
    from ase.io import read

    try:
        check_announced(file)
        found = read(file, do_not_split_by_at_sign=True)
        assert isinstance(found, Atoms)
        results = dict(found.calc.results) if found.calc is not None else {}
    except Exception as error:  # whatever ASE raises for a file that is still being written
        raise OracleError(f"cannot be read yet ({type(error).__name__}: {error})", Cause.NONSENSE) from error
    if "energy" not in results or "forces" not in results:
        raise OracleError("has no energy and forces yet", Cause.NONSENSE)
    if list(found.numbers) != list(asked.numbers):
        raise OracleError(
            f"is of {found.get_chemical_formula()}, or in another order of atoms; expected "
            f"{asked.get_chemical_formula()} as in {STRUCTURE}",
            Cause.NONSENSE,
        )
    if asked.pbc.any() and not np.allclose(found.cell.array, asked.cell.array, atol=SAME):
        raise OracleError(f"has another cell than {STRUCTURE}", Cause.NONSENSE)
    _, away = find_mic(found.positions - asked.positions, asked.cell, asked.pbc)
    if away.max() > SAME:
        raise OracleError(f"has atom {away.argmax()} {away.max():.3g} Å from where {STRUCTURE} has it", Cause.NONSENSE)
    taken = {name: results[name] for name in ("energy", "forces", "stress") if name in results}
    taken["energy"] = results.get("free_energy", results["energy"])
    return with_results(asked, taken)
