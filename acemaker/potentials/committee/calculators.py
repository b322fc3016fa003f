"""Calculators of the user in a child process, and the disagreement of their forces as a measure of uncertainty."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.errors import ConfigError, EngineError
from acemaker.potentials.committee import child
from acemaker.potentials.evaluator import EVALUATION
from acemaker.potentials.generation import Generation
from acemaker.process.dialogue import Dialogue
from acemaker.structures.computed import forces_of

FIELD = "OTFConfig.uncertainty"


@dataclass(frozen=True, kw_only=True)
class CalculatorJob:
    """What a child process evaluates.

    Attributes
    ----------
    factory : str
        ``module:factory`` or ``file.py:factory``, which returns an ASE calculator or a list of them; or ``"mace"``.
    arguments : mapping
        Its keyword arguments, which must be valid JSON.
    python : Path
        Python of the environment.
    models : tuple of Path
        Files of trained models; empty if there are none.
    limit : float
        Time limit of an evaluation, s.
    imports : tuple of str
        Callables that are only imported, to check them before models exist; then there are no calculators.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    python: Path = field(default_factory=lambda: Path(sys.executable))
    models: tuple[Path, ...] = ()
    limit: float = 3600.0
    imports: tuple[str, ...] = ()


class Calculators:
    """Evaluates calculators in a child process, which starts at the first evaluation.

    Parameters
    ----------
    job
        The calculators.
    """

    def __init__(self, job: CalculatorJob) -> None:
        self.job = job
        self._dialogue: Dialogue | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process and create the calculators in it, unless it runs.

        Raises
        ------
        ConfigError
            If they cannot be created.
        EngineError
            If the process ends unexpectedly.
        """
        with self._lock:
            self._start()

    def forces(self, atoms: Atoms) -> tuple[np.ndarray, bool]:
        """Return the forces of all members.

        Parameters
        ----------
        atoms
            Structure.

        Returns
        -------
        forces : ndarray, shape (n_members, n_atoms, 3)
            eV/Å.
        is_committee : bool
            Whether there are several members.

        Raises
        ------
        EngineError
            If a calculator fails; the message contains that of the calculator.
        ConfigError
            If the calculators cannot be created.
        """
        message = io.BytesIO()
        np.savez(message, numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc)
        with self._lock:  # several walkers may be monitored at a time
            dialogue = self._start()
            try:
                dialogue.send(message.getvalue(), self.job.limit)
                answer = self._receive(dialogue)
            except BaseException:  # an answer that was not read would be taken for that of the next structure
                dialogue.close()
                raise
        if error := str(answer["error"]):
            raise EngineError(f"{FIELD}: the calculator {error}")
        return answer["forces"], bool(answer["is_committee"])

    def close(self) -> None:
        """End the process; the next evaluation starts another one."""
        with self._lock:
            dialogue, self._dialogue = self._dialogue, None
            if dialogue is not None:
                dialogue.close()

    def _start(self) -> Dialogue:
        if self._dialogue is not None and self._dialogue.is_open:
            return self._dialogue
        job = self.job
        dialogue = Dialogue(
            child_command("serve", job.python), f"{FIELD}: the process of {job.factory!r}", environment()
        )
        try:
            dialogue.send(json.dumps(_fields(job)).encode(), job.limit)
            answer = self._receive(dialogue)
        except BaseException:
            dialogue.close()
            raise
        if error := str(answer["error"]):
            dialogue.close()
            raise ConfigError(
                f"{FIELD}: {error}; expected 'module:factory' or './file.py:factory', a callable that returns an ASE "
                "calculator or a list of them"
            )
        self._dialogue = dialogue
        return dialogue

    def _receive(self, dialogue: Dialogue) -> dict[str, np.ndarray]:
        with np.load(io.BytesIO(dialogue.receive(self.job.limit)), allow_pickle=False) as arrays:
            return dict(arrays)


class ForceDisagreement:
    """The disagreement of forces, by atom: the spread of a committee, or the difference to a second opinion.

    The spread is the root of the mean squared norm of the deviations of the members' forces from their mean [1]_. A
    single calculator is compared with the potential itself.

    Parameters
    ----------
    calculators
        The members, or the second opinion.
    generation
        The potential with which a second opinion is compared.

    References
    ----------
    .. [1] L. Zhang, D.-Y. Lin, H. Wang, R. Car, W. E, Phys. Rev. Materials 3, 023804 (2019), Eq. (2).
    """

    name = "force_disagreement"
    unit = "meV/Å"

    def __init__(self, calculators: Calculators, generation: Generation) -> None:
        self._calculators, self._generation = calculators, generation

    def per_atom(self, atoms: Atoms) -> np.ndarray:
        """Return the disagreement of the forces on each atom.

        Parameters
        ----------
        atoms
            Structure.

        Returns
        -------
        ndarray, shape (n_atoms,)
            meV/Å; NaN where a force is not finite.

        Raises
        ------
        EngineError
            If a calculator fails; the message contains that of the calculator.
        """
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if not (np.isfinite(bare.positions).all() and np.isfinite(bare.cell.array).all()):
            return np.full(len(bare), np.nan)
        forces, is_committee = self._calculators.forces(bare)
        reference = forces.mean(axis=0) if is_committee else self._own_forces(bare)
        return disagreement(forces, reference)

    def _own_forces(self, atoms: Atoms) -> np.ndarray:
        with EVALUATION:
            atoms.calc = self._generation.calculator()
            return forces_of(atoms)


def disagreement(forces: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the root mean squared norm of the deviations of forces from a reference, meV/Å.

    Parameters
    ----------
    forces : ndarray, shape (n_members, n_atoms, 3)
        eV/Å.
    reference : ndarray, shape (n_atoms, 3)
        eV/Å.

    Returns
    -------
    ndarray, shape (n_atoms,)
        NaN where a force is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from acemaker.potentials.committee.calculators import disagreement
    >>> forces = np.array([[[0.1, 0.0, 0.0]], [[-0.1, 0.0, 0.0]]])
    >>> disagreement(forces, forces.mean(axis=0))
    array([100.])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.sum((forces - reference) ** 2, axis=2)
        spread = 1e3 * np.sqrt(squares.mean(axis=0))
    return np.where(np.isfinite(spread), spread, np.nan)


def child_command(mode: str, python: Path) -> list[str]:
    """Return the command line of a child process, ``"serve"`` or ``"train"``."""
    return [str(python), "-I", str(Path(child.__file__).resolve()), mode]


def path_fields(python: Path) -> dict[str, Any]:
    """Return the entries of a child's job that let it import the modules of the user."""
    is_this_one = python.absolute() == Path(sys.executable).absolute()
    return child.path_for(is_this_one, sys.path, [sys.prefix, sys.base_prefix])


def environment() -> dict[str, str]:
    """Return the environment variables of child processes: one thread, which is faster beside other processes."""
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def absolute_path(path: str) -> str:
    """Return a path of a callable that is valid in another folder."""
    file, colon, name = path.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{name}" if colon and file.endswith(".py") else path


def _fields(job: CalculatorJob) -> dict[str, Any]:
    return {
        "factory": absolute_path(job.factory),
        "arguments": dict(job.arguments),
        "models": [str(path) for path in job.models],
        "imports": [absolute_path(path) for path in job.imports],
        **path_fields(job.python),
    }
