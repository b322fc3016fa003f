"""Labels of a cheap calculator, made once before generation 0 and kept with the campaign."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, ConfigError, OracleError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.trainer import Pretrained, Trainer
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import affordable
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.pretraining import pretraining_structures, springs_of
from acemaker.utils.dotted_path import imported

FIELD = "PotentialConfig.pretrain_calculator"

SILENCE = 5.0
"""s, between two lines of progress."""


def check_pretraining(config: CampaignConfig, start: Atoms, trainer: Trainer) -> None:
    """Make sure that the calculator labels the first structure, and that the trainer can use it.

    Raises
    ------
    ConfigError, MissingLibraryError
        If not.
    """
    if not config.potential.pretrain_calculator:
        return
    if not isinstance(trainer, Pretrained):
        raise ConfigError(f"{FIELD}: {type(trainer).__name__} has no method 'pretrain'; leave the field empty")
    try:
        _cheap(config).label(affordable(start, config.oracle.max_atoms, config.embedding))
    except OracleError as error:
        raise ConfigError(f"{FIELD}: it cannot label the first structure: {error}") from error


def pretraining_labels(file: Path, config: CampaignConfig, start: Atoms) -> tuple[Atoms, ...]:
    """Read them, or make them if there are none: the same structures from the same seed.

    Parameters
    ----------
    file
        Where they are kept.
    config
        The campaign's.
    start
        Its first structure.

    Returns
    -------
    tuple of Atoms
        As they stand in the file.

    Raises
    ------
    OracleError
        If the calculator cannot label one.
    """
    if file.exists():
        return read_structures(file)
    cheap, rng = _cheap(config), np.random.default_rng([config.seed, 3])
    cell = affordable(start, config.oracle.max_atoms, config.embedding)
    cell = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=cell.pbc)
    displaced = cell.copy()
    displaced.positions += rng.normal(scale=config.system.first_rattle, size=cell.positions.shape)
    structures = pretraining_structures(
        cell,
        config.potential.pretrain_structures,
        temperatures=config.engine.temperature,
        strain=config.system.first_strain,
        springs=springs_of(cell, displaced, *(forces_of(cheap.label(atoms)) for atoms in (cell, displaced))),
        rng=rng,
    )
    labels, heard = [], time.monotonic()
    for number, atoms in enumerate(structures, start=1):
        labels.append(cheap.label(atoms))
        if time.monotonic() - heard > SILENCE:
            heard = time.monotonic()
            sys.stderr.write(f"pretraining: {number} of {len(structures)} structures labelled\n")
            sys.stderr.flush()
    return write_structures(file, labels)


def _cheap(config: CampaignConfig) -> CalculatorOracle:
    """Make an oracle of the calculator, which is loaded once."""
    potential = config.potential
    try:
        calculator = imported(potential.pretrain_calculator, FIELD, "returns an ASE calculator")(
            **potential.pretrain_arguments
        )
    except AcemakerError:
        raise
    except Exception as error:  # whatever a factory raises
        raise ConfigError(f"{FIELD}: {potential.pretrain_calculator!r} raised {error!r}") from error
    return CalculatorOracle(lambda: calculator, max_force=float("inf"))
