"""Makes the trainer that the configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.trainer import Listener, Trainer
from acemaker.utils.dotted_path import imported


def make_trainer(
    config: PotentialConfig,
    fit: PacemakerConfig,
    elements: Sequence[str],
    kept: Path | None = None,
    listener: Listener | None = None,
) -> Trainer:
    """Make a trainer.

    Parameters
    ----------
    config
        Which, with its basis, weights and guard.
    fit
        What pacemaker is to do.
    elements
        Chemical symbols of the system.
    kept
        Where files are kept from an earlier time; None for a new campaign.
    listener
        Called with each iteration, by trainers that iterate.

    Returns
    -------
    Trainer

    Raises
    ------
    ConfigError, MissingLibraryError
        If it cannot work: a wrong basis, a missing file, environment or module.
    """
    if config.trainer == "linear":
        return LinearTrainer(config, elements, kept)
    if config.trainer == "pacemaker":
        from acemaker.potentials.pacemaker.trainer import PacemakerTrainer

        return PacemakerTrainer(config, fit, elements, kept, listener)
    factory = imported(config.trainer, "PotentialConfig.trainer", "returns a trainer")
    trainer: Trainer = factory(config, elements, kept)
    return trainer
