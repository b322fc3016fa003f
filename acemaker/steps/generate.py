"""GENERATE: make candidates around the anchor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.potentials.ranking import Grading
from acemaker.potentials.threads import single_threaded
from acemaker.results import Candidates, Diagnosis
from acemaker.results.record import read_only
from acemaker.structures.candidates import make_candidates
from acemaker.structures.files import write_structures

Grader = Callable[[Sequence[Atoms]], Grading]


def generate(
    diagnosis: Diagnosis,
    rule: OTFConfig,
    rng: np.random.Generator,
    grade: Grader,
    *,
    file: Path | None = None,
) -> Candidates:
    """Make the candidates of a halt.

    Parameters
    ----------
    diagnosis
        The anchor.
    rule
        Number and kind of the candidates.
    rng
        Random numbers of this halt alone.
    grade
        Gives gamma and features of structures, ``trainer.grade``.
    file
        Where the candidates are written; None to keep them in memory.

    Returns
    -------
    Candidates
    """
    structures = make_candidates(diagnosis.structure, rule, rng)
    if file is not None:
        structures = list(write_structures(file, structures))
    return describe(diagnosis.halt.number, structures, grade)


@single_threaded
def describe(halt_number: int, structures: Sequence[Atoms], grade: Grader) -> Candidates:
    """Grade structures and lay them out in a plane.

    Parameters
    ----------
    halt_number
        The halt they belong to.
    structures
        With ``info["origin"]`` and ``info["distance_A"]``.
    grade
        Gives gamma and features.

    Returns
    -------
    Candidates
    """
    grading = grade(structures)
    centred = grading.features - grading.features.mean(axis=0)
    plane = np.zeros((len(structures), 2))
    if len(structures) > 1:
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
        used = min(2, len(values))
        plane[:, :used] = left[:, :used] * values[:used]
    return Candidates(
        halt_number=halt_number,
        structures=tuple(structures),
        origins=tuple(str(atoms.info["origin"]) for atoms in structures),
        gamma_max=read_only(grading.gamma_max, float),
        distance_min=read_only([atoms.info["distance_A"] for atoms in structures], float),
        map=read_only(plane, float),
    )
