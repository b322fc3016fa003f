"""The calculators of a campaign whose forces are compared, and the committee that is trained on its labels."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.config.otf import MEASURES
from acemaker.errors import CampaignError, ConfigError, DamagedFileError, EngineError, StateError, UntrustedError
from acemaker.formatting.summary import counted
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.label_files import read_label
from acemaker.loop.store import Store, contained
from acemaker.loop.trusted_code import check_trusted, record_trusted
from acemaker.potentials.committee.calculators import FIELD, CalculatorJob, Calculators, ForceDisagreement, disagreement
from acemaker.potentials.committee.child import MACE
from acemaker.potentials.committee.installation import find_mace, find_python
from acemaker.potentials.committee.training import CommitteeJob, check_options, digests, seeds_of, train_models
from acemaker.potentials.generation import Generation
from acemaker.process.folder import create_empty_folder
from acemaker.results.committee import Committee
from acemaker.structures.computed import energy_of, forces_of

logger = logging.getLogger("acemaker")


MODEL = "committee_model"
"""Name under which the permission to read a model is recorded, with its SHA-256."""


def has_calculators(config: CampaignConfig) -> bool:
    """Return whether calculators are the measure of uncertainty."""
    return config.otf.uncertainty not in MEASURES


def is_trained(config: CampaignConfig) -> bool:
    """Return whether these calculators are trained on the labels."""
    return has_calculators(config) and bool(trainer_of(config))


def trainer_of(config: CampaignConfig) -> str:
    """Return the trainer of a campaign's committee; empty if its calculators need no training."""
    if config.otf.uncertainty == MACE or not has_calculators(config):
        return MACE  # also by hand, if the campaign halts without it
    return config.committee.committee_trainer


def factory_of(config: CampaignConfig) -> str:
    """Return the factory of a campaign's calculators."""
    return config.otf.uncertainty if has_calculators(config) else MACE


def python_of(config: CampaignConfig) -> Path:
    """Return the Python of the environment of a campaign's calculators.

    Raises
    ------
    MissingLibraryError, ConfigError
        If there is none.
    """
    find = find_mace if factory_of(config) == MACE else find_python
    return find(config.committee.committee_environment)


def check_calculators(config: CampaignConfig, starts: Sequence[Atoms]) -> None:
    """Check that the calculators of a campaign can be used, before it is created.

    Calculators that need no training are called once for each set of elements.

    Parameters
    ----------
    config
        The campaign's configuration.
    starts
        The structures with which the walkers start.

    Raises
    ------
    ConfigError, MissingLibraryError
        If they cannot.
    """
    if config.committee.committee_trainer and ":" not in config.otf.uncertainty:
        raise ConfigError(
            f"CommitteeConfig.committee_trainer: {config.committee.committee_trainer!r} trains the models of a factory "
            f"of your own, and uncertainty is {config.otf.uncertainty!r}; set uncertainty='module:factory', a callable "
            "that receives the files of the models and returns an ASE calculator or a list of them"
        )
    if not has_calculators(config):
        return
    python, trainer, factory = python_of(config), trainer_of(config), factory_of(config)
    for field, path in ((FIELD, factory), ("CommitteeConfig.committee_trainer", trainer)):
        if path.startswith("__main__:"):
            raise ConfigError(
                f"{field}: {path!r} cannot be imported by the process that evaluates it; expected a callable in a "
                "module or a file, 'module:callable' or './file.py:callable'"
            )
    if factory == MACE:
        check_options(config.committee)
        return
    job = CalculatorJob(
        factory=factory,
        arguments=config.committee.uncertainty_arguments,
        python=python,
        limit=config.committee.committee_timeout,
        imports=(factory, trainer) if trainer else (),
    )
    calculators = Calculators(job)
    try:
        calculators.start()
        for atoms in () if trainer else {frozenset(start.symbols): start for start in starts}.values():
            if not np.isfinite(calculators.forces(atoms)[0]).all():
                raise ConfigError(
                    f"{FIELD}: {factory!r} returns forces that are not finite for the initial structure; check that it "
                    "is made for this material"
                )
    except EngineError as error:
        raise ConfigError(f"{error}; it was called with the initial structure") from error
    finally:
        calculators.close()


class CommitteeWork:
    """Trains and evaluates the calculators of a campaign.

    Parameters
    ----------
    journaled
        The journal and its state.
    store
        Names of the campaign's files.
    """

    def __init__(self, journaled: JournaledState, store: Store) -> None:
        self._journaled, self._store = journaled, store
        self._calculators: Calculators | None = None
        self.on_wait: Callable[[], None] = lambda: None

    def measure(self, generation: Generation) -> ForceDisagreement | None:
        """Return the measure of uncertainty; None if it is no calculator.

        Parameters
        ----------
        generation
            The potential, with which a second opinion is compared.

        Raises
        ------
        DamagedFileError
            If a model is missing or changed.
        UntrustedError
            If the models were neither trained nor used on this machine before: reading them can run code.
        """
        if not has_calculators(self._journaled.config):
            return None
        return ForceDisagreement(self._current(), generation)

    def update(self) -> Committee | None:
        """Train a committee for a new generation if one is needed; return None otherwise."""
        config, progress = self._journaled.config, self._journaled.progress
        if not is_trained(config) or (progress.committee is not None and not config.committee.committee_retrain):
            return None
        job = self._new_job()
        if progress.committee is not None and progress.committee["key"] == job.key:
            return None  # a process was killed after this training, before the next event
        committee = self._train(job)
        logger.info(committee.headline())
        return committee

    def train(self) -> Committee:
        """Train a committee on all labels.

        Returns
        -------
        Committee

        Raises
        ------
        StateError
            If there are no labels.
        ConfigError
            If the calculators need no training.
        FitError
            If the trainer fails.
        """
        return self._train(self._new_job())

    def allow(self) -> None:
        """Record that the user allows the models of the directory to be read."""
        if (event := self._journaled.progress.committee) is not None:
            for digest in event["sha256"]:
                record_trusted({MODEL: digest})

    def close(self) -> None:
        """End the process of the calculators."""
        if self._calculators is not None:
            self._calculators.close()
            self._calculators = None

    def _new_job(self) -> CommitteeJob:
        """Return the training on all labels in force."""
        config, progress = self._journaled.config, self._journaled.progress
        if not (trainer := trainer_of(config)):
            raise ConfigError(
                "CommitteeConfig.committee_trainer: the calculators of uncertainty need no training; to train models, "
                "set a trainer, or uncertainty='mace'"
            )
        entries = {entry.key: entry for entry in progress.labels}  # in force, and of different structures
        if not entries:
            raise StateError("a committee is trained on labels, and the campaign has none yet; label structures first")
        labels = tuple(self._read(entry.file, entry.sum) for entry in entries.values())
        isolated = {
            element: energy_of(self._read(event["file"], event.get("sum", "")))
            for element, event in sorted(progress.isolated.items())
        }
        check_options(config.committee)
        return CommitteeJob(
            trainer=trainer,
            options=config.committee.committee_options,
            python=python_of(config),
            seeds=seeds_of(config.seed, config.committee.committee_size),
            labels=labels,
            isolated=isolated,
            cutoff=config.potential.cutoff,
            limit=config.committee.committee_timeout,
        )

    def _train(self, job: CommitteeJob) -> Committee:
        number = 1 + (self._journaled.progress.committee or {"number": 0})["number"]
        models = self._trained(job, number)
        self.close()
        calculators = Calculators(self._job(models))
        try:
            committee = _evaluated(calculators, job.labels, number, job.trainer, models)
        except BaseException:
            calculators.close()
            raise
        self._journaled.append(
            "committee",
            number=number,
            trainer=job.trainer,
            key=job.key,
            n_labels=len(job.labels),
            files=[self._store.relative(model) for model in models],
            sha256=digests(models),
            errors=list(committee.errors),
            spread=committee.spread,
        )
        self._calculators = calculators
        self._delete_others(number)
        return committee

    def _current(self) -> Calculators:
        """Return the calculators in use."""
        if self._calculators is None:
            models: tuple[Path, ...] = ()
            if is_trained(self._journaled.config):
                if self._journaled.progress.committee is None:  # `uncertainty` was changed after the first generation
                    self.train()
                event = self._journaled.progress.committee
                assert event is not None
                models = self._checked_models(event)
            self._calculators = self._calculators or Calculators(self._job(models))
        return self._calculators

    def _checked_models(self, event: Mapping[str, Any]) -> tuple[Path, ...]:
        if not all(_is_own(digest) for digest in event["sha256"]):
            raise UntrustedError(
                f"the models of the committee in {self._store.directory} were not trained or used on this machine "
                "before, and reading them can run code. If you trust them, open the campaign with allow_code=True; "
                "otherwise train others on its labels: acemaker train-committee"
            )
        models = tuple(contained(self._store.directory, name) for name in event["files"])
        for model, expected in zip(models, event["sha256"], strict=True):
            if not model.is_file() or digests([model]) != [expected]:
                problem = "it does not have the checksum in the journal" if model.is_file() else "it is missing"
                raise DamagedFileError(
                    model, problem, "restore it from a copy, or train another committee: acemaker train-committee"
                )
        return models

    def _read(self, file: str, expected: str) -> Atoms:
        return read_label(contained(self._store.directory, file), expected)

    def _job(self, models: tuple[Path, ...]) -> CalculatorJob:
        config = self._journaled.config
        return CalculatorJob(
            factory=factory_of(config),
            arguments=config.committee.uncertainty_arguments if has_calculators(config) else {},
            python=python_of(config),
            models=models,
            limit=config.committee.committee_timeout,
        )

    def _trained(self, job: CommitteeJob, number: int) -> tuple[Path, ...]:
        """Train the models in a folder of their own, and give them their final names."""

        def report(model: Path, seconds: float) -> None:
            record_trusted({MODEL: digests([model])[0]})
            logger.info(f"Committee {number}: {model.stem.replace('_', ' ')} of {len(job.seeds)}, {seconds:.0f} s")

        def is_own(model: Path) -> bool:
            return _is_own(digests([model])[0])

        logger.info(
            f"Committee {number}: {counted(len(job.seeds), 'model')} by {job.trainer} on {len(job.labels)} labels"
        )
        folder = self._store.committee / "training"
        trained = train_models(job, folder, is_own=is_own, report=report, on_wait=self.on_wait)
        final = create_empty_folder(self._store.committee / f"committee_v{number}")
        models = []
        for model in trained:  # copied, so that a process that is killed here finds all of them again
            target = final / model.name
            shutil.copyfile(model, target)
            models.append(target)
        return tuple(models)

    def _delete_others(self, number: int) -> None:
        """Delete the training folder and earlier committees, which no segment needs any more."""
        for folder in self._store.committee.iterdir():
            if folder.name != f"committee_v{number}":
                shutil.rmtree(folder, ignore_errors=True)


def _is_own(digest: str) -> bool:
    """Return whether a model was trained on this machine, or allowed by the user."""
    try:
        check_trusted({MODEL: digest}, Path())
    except UntrustedError:
        return False
    return True


def _evaluated(
    calculators: Calculators, labels: tuple[Atoms, ...], number: int, trainer: str, models: tuple[Path, ...]
) -> Committee:
    """Compare the models with their labels.

    Raises
    ------
    CampaignError
        If the number of members is not that of the models, or a force is not finite.
    """
    squares, spreads = [], []
    for atoms in labels:
        bare = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        forces, _ = calculators.forces(bare)
        if len(forces) != len(models):
            raise CampaignError(
                f"{FIELD}: {calculators.job.factory!r} returned {len(forces)} members for {len(models)} models; "
                "expected one per file"
            )
        squares.append(((forces - forces_of(atoms)) ** 2).reshape(len(models), -1))
        spreads.append(disagreement(forces, forces.mean(axis=0)))
    errors = 1e3 * np.sqrt(np.concatenate(squares, axis=1).mean(axis=1))
    spread = float(np.sqrt(np.mean(np.concatenate(spreads) ** 2)))
    if not (np.isfinite(errors).all() and np.isfinite(spread)):
        raise CampaignError(f"the models of committee {number} by {trainer} have forces that are not finite")
    return Committee(
        number=number,
        trainer=trainer,
        n_labels=len(labels),
        files=models,
        errors=tuple(round(float(error), 6) for error in errors),
        spread=round(spread, 6),
    )
