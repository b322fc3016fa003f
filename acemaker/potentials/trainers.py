"""Create the trainer of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.trainer import Listener, Trainer
from acemaker.utils.dotted_path import import_callable


def make_trainer(
    config: PotentialConfig,
    fit: PacemakerConfig,
    elements: Sequence[str],
    directory: Path | None = None,
    listener: Listener | None = None,
) -> Trainer:
    """Create a trainer.

    Parameters
    ----------
    config
        Name of the trainer, its basis, weights and guard.
    fit
        Settings of pacemaker.
    elements
        Chemical symbols of the system.
    directory
        Directory of the potentials of an existing campaign; None for a new campaign.
    listener
        Called with each iteration by iterative trainers.

    Returns
    -------
    Trainer

    Raises
    ------
    ConfigError, MissingLibraryError
        If the basis is wrong, or a file, an environment or a module is missing.
    """
    if config.trainer == "linear":
        return LinearTrainer(config, elements, directory)
    if config.trainer == "pacemaker":
        from acemaker.potentials.pacemaker.trainer import PacemakerTrainer

        return PacemakerTrainer(config, fit, elements, directory, listener)
    factory = import_callable(config.trainer, "PotentialConfig.trainer", "returns a trainer")
    trainer: Trainer = factory(config, elements, directory)
    return trainer
