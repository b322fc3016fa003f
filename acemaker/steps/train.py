"""TRAIN: train the next generation."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.potentials.generation import Generation
from acemaker.potentials.trainer import Trainer
from acemaker.results import Labels, Training


def train(
    labels: Labels,
    trainer: Trainer,
    rule: OTFConfig,
    *,
    directory: Path,
    predecessor: Generation | None,
    halted: Atoms | None,
) -> Training:
    """Train on the new labels and all earlier ones.

    Parameters
    ----------
    labels
        The new labels.
    trainer
        The trainer, which contains the earlier labels.
    rule
        Settings with ``threshold_add_train``, below which gamma of the halted structure must be after the training.
    directory
        Folder to which the generation's files are written.
    predecessor
        The generation in use; None to train the first generation.
    halted
        The halted structure.

    Returns
    -------
    Training
        Accepted or rejected by the guard.
    """
    return trainer.train(
        labels.structures,
        number=1 if predecessor is None else predecessor.number + 1,
        directory=directory,
        predecessor=predecessor,
        halted=halted,
        gamma_limit=rule.threshold_add_train,
    )
