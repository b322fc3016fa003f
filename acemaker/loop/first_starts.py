"""Undistorted starts of the walkers, which are labeled with the first structures if the campaign would halt there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError
from acemaker.formatting.summary import counted, number
from acemaker.potentials.domain import Domain
from acemaker.potentials.trainer import Trainer
from acemaker.structures.geometry import closeness
from acemaker.structures.per_atom import bare_copy

logger = logging.getLogger("acemaker")

ORIGIN = "start"
"""Value of ``info["origin"]`` of an undistorted start."""

UNKNOWN = 5.0
"""Gamma above which a start is unknown, also if the thresholds are lower: gamma of a perfect crystal is 1 to 3 with
respect to few rattled copies of it, and its label would contain almost nothing."""


def unknown_starts(
    config: CampaignConfig, starts: Sequence[Atoms], first: Sequence[Atoms], trainer: Trainer, n_free: int = 0
) -> list[Atoms]:
    """Return the starts at which a potential trained on the first structures would halt at once.

    A rattled structure does not contain the environments of an undistorted one with many different sites, such as a
    cluster or a surface. Gamma depends on structures alone, so that this is known before anything is labeled. The start
    with the largest gamma is added first, and only those that it does not describe follow.

    Parameters
    ----------
    config
        ``threshold_call_dft``, ``max_atoms`` and ``max_labels``.
    starts
        The structure with which each walker starts.
    first
        The structures of the first generation, without those in reserve.
    trainer
        A trainer without labels; its active set is changed.
    n_free
        Number of structures of `first` that are labeled already.

    Returns
    -------
    list of Atoms
        Copies without momenta; empty for a trainer without an active set of its own, and of structures that are too
        large to be labeled as a whole.
    """
    if not isinstance(trainer, Domain):
        return []
    room = len(starts) if config.otf.max_labels is None else config.otf.max_labels - len(first) + n_free
    remaining = [atoms for atoms in starts if len(atoms) <= config.oracle.max_atoms]
    chosen: list[Atoms] = []
    with contextlib.suppress(AcemakerError):  # it is reported by the training
        while remaining and len(chosen) < room:
            trainer.cover(trainer.basis, [*first, *chosen])
            grades = trainer.grade(remaining).gamma_max
            index = int(np.argmax(grades))
            if not grades[index] > max(config.otf.threshold_call_dft, UNKNOWN):
                break
            of_walker = " of a walker" if len(starts) > 1 else ""
            logger.info(
                f"the initial structure{of_walker} is labeled, too: its gamma is {number(float(grades[index]))} with "
                f"respect to {counted(len(first) + len(chosen), 'first structure')}"
            )
            atoms = bare_copy(remaining.pop(index))
            atoms.info |= {"origin": ORIGIN, "distance_A": closeness(atoms).distance}
            chosen.append(atoms)
    return chosen
