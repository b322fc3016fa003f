"""TRAIN: make the next generation."""

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
    anchor: Atoms | None,
) -> Training:
    """Train on new labels and all that came before.

    Parameters
    ----------
    labels
        The new ones.
    trainer
        Holds what earlier labels taught.
    rule
        ``threshold_add_train``, below which the anchor's gamma must come.
    directory
        Where the generation's files are written.
    predecessor
        The generation in use; None to make generation 0.
    anchor
        The halted structure.

    Returns
    -------
    Training
        With the guard's verdict.
    """
    return trainer.train(
        labels.structures,
        number=0 if predecessor is None else predecessor.number + 1,
        directory=directory,
        predecessor=predecessor,
        anchor=anchor,
        gamma_limit=rule.threshold_add_train,
    )
