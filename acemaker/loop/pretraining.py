"""Pretraining labels of a fast calculator, computed once before the first generation and stored with the campaign."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, ConfigError, OracleError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.trainer import Pretrained, Trainer
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import fit_to_oracle
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.per_atom import bare_copy
from acemaker.structures.pretraining import pretraining_structures, springs_of
from acemaker.utils.dotted_path import import_callable

logger = logging.getLogger("acemaker")

FIELD = "PotentialConfig.pretrain_calculator"

REPORT_INTERVAL = 5.0
"""Seconds between two progress lines."""


def check_pretraining(config: CampaignConfig, start: Atoms, trainer: Trainer) -> None:
    """Check that the calculator labels the first structure, and that the trainer supports pretraining.

    Raises
    ------
    ConfigError, MissingLibraryError
        If one of both is not the case.
    """
    if not config.potential.pretrain_calculator:
        return
    if not isinstance(trainer, Pretrained):
        raise ConfigError(f"{FIELD}: {type(trainer).__name__} has no method 'pretrain'; leave the field empty")
    try:
        _oracle(config).label(fit_to_oracle(start, config.oracle.max_atoms, config.embedding))
    except OracleError as error:
        raise ConfigError(f"{FIELD}: the calculator cannot label the first structure: {error}") from error


def pretraining_labels(file: Path, config: CampaignConfig, start: Atoms) -> tuple[Atoms, ...]:
    """Read the pretraining labels, or compute them if there are none; equal seeds give equal structures.

    Parameters
    ----------
    file
        Their file.
    config
        The campaign's configuration.
    start
        The structure with which the first walker starts.

    Returns
    -------
    tuple of Atoms
        The labels as in the file.

    Raises
    ------
    OracleError
        If the calculator cannot label a structure.
    """
    if file.exists():
        return read_structures(file)
    oracle, rng = _oracle(config), np.random.default_rng([config.seed, 3])
    cell = fit_to_oracle(start, config.oracle.max_atoms, config.embedding)
    cell = bare_copy(cell)
    displaced = cell.copy()
    displaced.positions += rng.normal(scale=config.system.first_rattle, size=cell.positions.shape)
    structures = pretraining_structures(
        cell,
        config.potential.pretrain_structures,
        temperatures=(min(config.engine.temperatures), max(config.engine.temperatures)),
        strain=config.system.first_strain,
        springs=springs_of(cell, displaced, *(forces_of(oracle.label(atoms)) for atoms in (cell, displaced))),
        rng=rng,
    )
    labels, reported = [], time.monotonic()
    for number, atoms in enumerate(structures, start=1):
        labels.append(oracle.label(atoms))
        if time.monotonic() - reported > REPORT_INTERVAL:
            reported = time.monotonic()
            logger.info(f"pretraining: {number} of {len(structures)} structures labeled")
    return write_structures(file, labels)


def _oracle(config: CampaignConfig) -> CalculatorOracle:
    """Return an oracle of the calculator, which is loaded once."""
    potential = config.potential
    try:
        calculator = import_callable(potential.pretrain_calculator, FIELD, "returns an ASE calculator")(
            **potential.pretrain_arguments
        )
    except AcemakerError:
        raise
    except Exception as error:  # a user's factory may raise anything
        raise ConfigError(f"{FIELD}: {potential.pretrain_calculator!r} raised {error!r}") from error
    return CalculatorOracle(lambda: calculator, max_force=float("inf"))
