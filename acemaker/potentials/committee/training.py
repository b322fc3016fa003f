"""Training of the models of a committee, each in a child process, on the labels of a campaign."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import write

from acemaker.config import CommitteeConfig
from acemaker.config.committee import RESERVED
from acemaker.errors import ConfigError, FitError
from acemaker.potentials.committee.calculators import absolute_path, child_command, environment, path_fields
from acemaker.potentials.committee.child import JOB, MACE
from acemaker.process.child import OUTPUT, ChildProcess, describe_status
from acemaker.process.folder import create_empty_folder
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.utils.atomic_write import write_whole

LABELS, KEY = "labels.extxyz", "key.txt"
"""Files of a training: the labels, and the key of the input, which is written last."""

UPDATES, FEWEST_EPOCHS = 500, 20
"""Number of gradient updates of MACE, one label each, and minimum number of epochs."""

STREAM = 5
"""Stream of the campaign's random numbers from which the seeds of the models are derived."""


@dataclass(frozen=True, kw_only=True)
class CommitteeJob:
    """What is trained.

    Attributes
    ----------
    trainer : str
        ``"mace"``, ``module:function`` or ``file.py:function``.
    options : mapping
        Its options.
    python : Path
        Python of its environment.
    seeds : tuple of int
        Seed of each model.
    labels : tuple of Atoms
        Labels with energy, forces and possibly stress.
    isolated : mapping of str to float
        Energies of isolated atoms in eV by element; empty if they are unknown.
    cutoff : float
        Å, default of the cutoff of MACE.
    limit : float
        Time limit of a model, s.
    """

    trainer: str
    options: Mapping[str, Any]
    python: Path
    seeds: tuple[int, ...]
    labels: tuple[Atoms, ...]
    isolated: Mapping[str, float] = field(default_factory=dict)
    cutoff: float = 5.0
    limit: float = 3600.0

    @property
    def key(self) -> str:
        """Hash of all input that affects the models; models that are complete are not trained again."""
        settings = [self.trainer, dict(self.options), self.seeds, dict(self.isolated), self.cutoff]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
        for atoms in self.labels:
            for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, forces_of(atoms)):
                digest.update(np.ascontiguousarray(array).tobytes())
            digest.update(np.float64(energy_of(atoms)).tobytes())
        return digest.hexdigest()


def seeds_of(seed: int, size: int) -> tuple[int, ...]:
    """Return the seed of each model of a committee, from the campaign's seed."""
    return tuple(int(value) for value in np.random.SeedSequence([seed, STREAM]).generate_state(size) % 2**31)


def check_options(config: CommitteeConfig) -> None:
    """Check the options of MACE.

    Raises
    ------
    ConfigError
        If one is set by acemaker itself, or has a value that is no number, text or truth value.
    """
    for name, value in config.committee_options.items():
        if name in RESERVED:
            raise ConfigError(f"CommitteeConfig.committee_options: acemaker sets {name!r} itself; remove it")
        if not (value is None or isinstance(value, str | int | float)):
            raise ConfigError(
                "CommitteeConfig.committee_options: expected numbers, texts, truth values, or None for an option "
                f"without a value, got {name}={value!r}"
            )


def train_models(
    job: CommitteeJob,
    folder: Path,
    *,
    is_own: Callable[[Path], bool] = lambda _: True,
    report: Callable[[Path, float], None] = lambda *_: None,
    on_wait: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Train all models, except those that an interrupted call has completed.

    Parameters
    ----------
    job
        What is trained.
    folder
        Working directory; files of other trainings in it are deleted.
    is_own
        Returns whether a complete model in the folder was trained on this machine; otherwise it is trained again.
    report
        Called with the file of each model that was trained, and the time in s.
    on_wait
        Called while a model is trained; may raise to end it.

    Returns
    -------
    list of Path
        The files of the models in the folder.

    Raises
    ------
    FitError
        If a trainer fails, writes no model, or exceeds the time limit.
    """
    key_file = folder / KEY
    if not key_file.is_file() or key_file.read_text() != job.key:
        create_empty_folder(folder)
        write(folder / LABELS, [_exported(atoms) for atoms in job.labels], format="extxyz")
        write_whole(key_file, job.key)
    models = []
    for number, seed in enumerate(job.seeds, start=1):
        model = folder / f"model_{number}.model"
        if not (model.is_file() and is_own(model)):
            started = time.perf_counter()
            _train_model(job, folder, seed, model, on_wait)
            report(model, time.perf_counter() - started)
        models.append(model)
    return models


def _train_model(job: CommitteeJob, folder: Path, seed: int, model: Path, on_wait: Callable[[], None]) -> None:
    work = create_empty_folder(folder / "work")
    name = "m.model"  # as mace_run_train writes it
    if job.trainer == MACE:
        command = [str(job.python), "-I", "-W", "ignore", "-m", "mace.cli.run_train", *_mace_options(job, seed)]
    else:
        fields = {"trainer": absolute_path(job.trainer), "options": dict(job.options), "seed": seed}
        files = {"labels": str(folder / LABELS), "model": str(work / name)}
        (work / JOB).write_text(json.dumps({**fields, **files, **path_fields(job.python)}))
        command = child_command("train", job.python)
    process = ChildProcess(command, work, {**environment(), "MPLBACKEND": "Agg"})
    deadline = time.monotonic() + job.limit
    try:
        while (status := process.poll()) is None:
            if time.monotonic() > deadline:
                raise FitError(f"the trainer {job.trainer!r} did not end within {job.limit:g} s", work / OUTPUT)
            on_wait()
            time.sleep(0.05)
    finally:
        process.end()
    written = work / name
    if status != 0 or not written.is_file():
        end = describe_status(status) if status else f"it wrote no model to {name}"
        raise FitError(
            f"the trainer {job.trainer!r} of the committee failed ({end}); its files are in {work}", work / OUTPUT
        )
    with written.open("rb") as stream:
        os.fsync(stream.fileno())
    written.replace(model)
    shutil.rmtree(work)


def _mace_options(job: CommitteeJob, seed: int) -> list[str]:
    """Return the options of mace_run_train: a small model, validated on the labels that it is trained on."""
    numbers = {atoms_number for atoms in job.labels for atoms_number in atoms.numbers.tolist()}
    options: dict[str, Any] = {
        "model": "MACE",
        "num_channels": 16,
        "max_L": 0,
        "correlation": 3,
        "num_interactions": 1,
        "r_max": job.cutoff,
        "E0s": _isolated_energies(job.isolated) if len(job.isolated) == len(numbers) else "average",
        "batch_size": 1,
        "valid_batch_size": 1,
        "max_num_epochs": max(FEWEST_EPOCHS, -(-UPDATES // len(job.labels))),
        "eval_interval": 10,
        "lr": 0.01,
        "ema": None,
        "device": "cpu",
        "default_dtype": "float64",
        "num_workers": 0,
        "pin_memory": False,
        **job.options,
        "name": "m",
        "seed": seed,
        "train_file": f"../{LABELS}",
        "valid_file": f"../{LABELS}",
        "energy_key": "REF_energy",
        "forces_key": "REF_forces",
        "stress_key": "REF_stress",
    }
    return [f"--{name}" if value is None else f"--{name}={value}" for name, value in options.items()]


def _isolated_energies(energies: Mapping[str, float]) -> str:
    return str({int(Atoms(element).numbers[0]): float(energy) for element, energy in sorted(energies.items())})


def _exported(atoms: Atoms) -> Atoms:
    """Return a label with the names of MACE."""
    exported = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    exported.info["REF_energy"] = energy_of(atoms)
    exported.arrays["REF_forces"] = forces_of(atoms)
    if atoms.calc is not None and "stress" in atoms.calc.results:
        exported.info["REF_stress"] = stress_of(atoms)
    return exported


def digests(files: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file."""
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
