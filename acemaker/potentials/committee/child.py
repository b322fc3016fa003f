"""The child process that evaluates calculators, or trains one: PYTHON -I child.py {serve|train}.

It may run in another environment, so that it imports nothing but Python's library, NumPy and ASE.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import importlib.util
import io
import json
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from ase import Atoms

MACE = "mace"
"""Name of the factory of MACE's calculators."""

JOB = "job.json"
"""File in the current folder with the job of a training."""

HEADER = 8
"""Bytes of the length of a message, as in `acemaker.process.dialogue`."""


def main(mode: str) -> None:
    """Serve forces for the job in the first message, or train a model for the job in a file."""
    if mode == "train":
        job = json.loads(Path(JOB).read_text())
        _use_path(job)
        train(job)
        return
    with Path("requests").open("rb") as requests, Path("answers").open("wb") as answers:
        job = json.loads(_receive(requests) or b"{}")
        _use_path(job)
        serve(job, requests, answers)


def train(job: Mapping[str, Any]) -> None:
    """Call the trainer of a job."""
    imported(job["trainer"])(labels=job["labels"], model=job["model"], seed=job["seed"], **job["options"])


def serve(job: Mapping[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each structure with the forces of all members, until the other end closes."""
    try:
        for path in job["imports"]:
            imported(path)
        calculators = [] if job["imports"] else calculators_of(job)
    except Exception as error:
        _send(answers, error=f"{job['factory']!r} cannot be used: {_describe(error)}")
        return
    _send(answers, n_calculators=np.array(len(calculators)))
    while message := _receive(requests):
        try:
            with np.load(io.BytesIO(message), allow_pickle=False) as arrays:
                atoms = Atoms(**arrays)
            forces, is_committee = forces_of_members(calculators, atoms)
            _send(answers, forces=forces, is_committee=np.array(is_committee))
        except Exception as error:
            _send(answers, error=f"{job['factory']!r} raised {_describe(error)}")


def calculators_of(job: Mapping[str, Any]) -> list[Any]:
    """Create the calculators of a job.

    Raises
    ------
    TypeError
        If the factory does not return ASE calculators.
    """
    arguments = dict(job["arguments"])
    if job["factory"] == MACE:
        made: Any = mace(job["models"], **arguments)
    else:
        if job["models"]:
            arguments["models"] = list(job["models"])
        made = imported(job["factory"])(**arguments)
    calculators = list(made) if isinstance(made, list | tuple) else [made]
    wrong = [item for item in calculators if isinstance(item, type) or not hasattr(item, "get_property")]
    if wrong or not calculators:
        raise TypeError(f"expected an ASE calculator or a list of them, it returned {made!r:.100}")
    return calculators


def mace(models: Sequence[str], default_dtype: str = "float32", threads: int = 1, **arguments: Any) -> Any:
    """Create the calculator of several MACE models.

    Parameters
    ----------
    models
        Files of the models.
    default_dtype
        Precision of the evaluation.
    threads
        Number of threads.
    **arguments
        Further arguments of ``mace.calculators.MACECalculator``, e.g. ``device``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from mace.calculators import MACECalculator

        torch.set_num_threads(threads)
        return MACECalculator(
            model_paths=list(models), **{"device": "cpu", "default_dtype": default_dtype, **arguments}
        )


def forces_of_members(calculators: Sequence[Any], atoms: Atoms) -> tuple[np.ndarray, bool]:
    """Return the forces of all members.

    Returns
    -------
    forces : ndarray, shape (n_members, n_atoms, 3)
        eV/Å.
    is_committee : bool
        Whether there are several members; otherwise the forces are a second opinion.

    Raises
    ------
    ValueError
        If forces have another shape.
    """
    members: list[np.ndarray] = []
    for calculator in calculators:
        structure = atoms.copy()
        fresh = _fresh(calculator)
        structure.calc = fresh
        forces = np.asarray(structure.get_forces(False), dtype=float)[None]  # without constraints
        committee = getattr(fresh, "results", {}).get("forces_comm")
        if committee is not None and len(committee) > 1:
            forces = np.asarray(committee, dtype=float)
        if forces.shape[1:] != (len(atoms), 3):
            raise ValueError(f"expected forces of shape ({len(atoms)}, 3), got {forces.shape[1:]}")
        members.extend(forces)
    return np.array(members), len(members) > 1


def imported(path: str) -> Any:
    """Import a callable from ``module:name`` or ``file.py:name``."""
    module_name, _, name = path.rpartition(":")
    if module_name.endswith(".py"):
        spec = importlib.util.spec_from_file_location("acemaker_script", module_name)
        if spec is None or spec.loader is None:
            raise ImportError(f"{module_name} is not a file of Python code")
        target: Any = importlib.util.module_from_spec(spec)
        sys.modules["acemaker_script"] = target
        spec.loader.exec_module(target)
    else:
        target = importlib.import_module(module_name)
    for part in name.split("."):
        target = getattr(target, part)
    return target


def _fresh(calculator: Any) -> Any:
    """Return a copy without results and neighbor lists of earlier structures, on which rounding would depend."""
    fresh = calculator
    with contextlib.suppress(Exception):
        fresh = copy.copy(calculator)
    if callable(getattr(fresh, "reset", None)):
        fresh.reset()
    return fresh


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _use_path(job: Mapping[str, Any]) -> None:
    if job["path"] is not None:
        sys.path[:] = job["path"]
    sys.path.extend(job["more_path"])


def _receive(stream: BinaryIO) -> bytes:
    """Return the next message; empty if the other end has closed."""
    return stream.read(int.from_bytes(stream.read(HEADER), "little"))


def _send(stream: BinaryIO, error: str = "", **arrays: Any) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, error=np.array(error), **arrays)
    content = buffer.getvalue()
    stream.write(len(content).to_bytes(HEADER, "little") + content)
    stream.flush()


def path_for(python_is_this_one: bool, entries: Iterable[str], installed: Iterable[str]) -> dict[str, Any]:
    """Return the entries of a job that let the child import the modules of the user.

    Parameters
    ----------
    python_is_this_one
        Whether the child runs in the environment of its parent.
    entries
        ``sys.path`` of the parent.
    installed
        Folders with installed packages of the parent, which do not belong into another environment.
    """
    absolute = [str(Path(entry).absolute()) for entry in entries]
    if python_is_this_one:
        return {"path": absolute, "more_path": []}
    roots = [Path(folder).resolve() for folder in installed]
    own = [entry for entry in absolute if not any(Path(entry).resolve().is_relative_to(root) for root in roots)]
    return {"path": None, "more_path": own}


if __name__ == "__main__":
    main(sys.argv[1])
