"""GENERATE: generate candidates around the halted structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import EmbeddingConfig, OTFConfig
from acemaker.formatting.record import read_only
from acemaker.potentials.threads import single_threaded
from acemaker.results import Candidates, Diagnosis
from acemaker.structures.candidates import Grader, make_candidates
from acemaker.structures.embedding import EmbeddedCell, embed
from acemaker.structures.files import write_structures
from acemaker.structures.grading import Grading
from acemaker.structures.strategies import Site


@single_threaded
def generate(
    diagnosis: Diagnosis,
    rule: OTFConfig,
    rng: np.random.Generator,
    grade: Grader,
    *,
    temperature: float,
    calculator: Callable[[], BaseCalculator],
    file: Path | None = None,
    max_atoms: int | None = None,
    embedding: EmbeddingConfig | None = None,
) -> Candidates:
    """Generate the candidates of a halt.

    Parameters
    ----------
    diagnosis
        The halted structure and the epicenter.
    rule
        Number and strategies of the candidates.
    rng
        Random numbers of this halt.
    grade
        Returns gamma and features of structures: ``trainer.grade``.
    temperature
        K, of the trajectory at the halt.
    calculator
        Returns an ASE calculator of the current potential: ``generation.calculator``. It is only called by strategies
        that need forces.
    file
        File to which the candidates are written; None to write none.
    max_atoms
        Maximum number of atoms per label. A larger halted structure is represented by a small periodic cell around its
        epicenter. None for no limit.
    embedding
        Settings of that cell; the defaults if None.

    Returns
    -------
    Candidates

    Raises
    ------
    EmbeddingError
        If the structure is too large and no small cell can represent it.
    """
    halted, epicenter, embedded = diagnosis.structure, diagnosis.epicenter, ""
    if max_atoms is not None and len(halted) > max_atoms:
        if diagnosis.halt.is_probe:
            centers = rng.integers(len(halted), size=1)  # the error there is a sample of the structure
        else:
            centers = epicenter if len(epicenter) else np.array([halted.arrays["gamma"].argmax()])
        cell = embed(halted, centers, calculator(), max_atoms=max_atoms, config=embedding, rule=rule)
        halted, epicenter, embedded = cell.structure, _in_cell(cell, centers), cell.headline()
    site = Site.around(
        halted,
        epicenter,
        radius=rule.candidate_radius,
        temperature=temperature,
        calculator=calculator,
    )
    candidates = make_candidates(site, rule, rng, grade)
    # the structures as in the file are identical to those that were graded
    structures = candidates.structures if file is None else write_structures(file, candidates.structures)
    return describe(diagnosis.halt.number, structures, candidates.grading, candidates.dropped, rule, embedded)


def _in_cell(cell: EmbeddedCell, epicenter: np.ndarray) -> np.ndarray:
    """Return the epicenter's atoms in the core of an embedded cell, largest gamma first."""
    return np.concatenate([np.flatnonzero(cell.core & (cell.indices == atom)) for atom in epicenter])


@single_threaded
def describe(
    halt_number: int | None,
    structures: Sequence[Atoms],
    grading: Grading,
    dropped: Mapping[str, int],
    rule: OTFConfig,
    embedded: str = "",
) -> Candidates:
    """Return the record of graded structures, with their positions in a plane.

    Parameters
    ----------
    halt_number
        Number of their halt.
    structures
        The candidates, with ``info["origin"]`` and ``info["distance_A"]``.
    grading
        Gamma and features of each.
    dropped
        Numbers of dropped candidates by reason.
    rule
        The thresholds, which are stored in the record.
    embedded
        Description of the embedded cell, if candidate 0 is one.

    Returns
    -------
    Candidates
    """
    centered = grading.features - grading.features.mean(axis=0)
    plane = np.zeros((len(structures), 2))
    if len(structures) > 1:
        left, values, _ = np.linalg.svd(centered, full_matrices=False)
        used = min(2, len(values))
        plane[:, :used] = left[:, :used] * values[:used]
    return Candidates(
        halt_number=halt_number,
        structures=tuple(structures),
        origins=tuple(str(atoms.info["origin"]) for atoms in structures),
        gamma_max=read_only(grading.gamma_max, float),
        distance_min=read_only([atoms.info["distance_A"] for atoms in structures], float),
        map=read_only(plane, float),
        gamma=tuple(read_only(gamma, float) for gamma in grading.gamma),
        thresholds=(rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break),
        dropped=dropped,
        embedded=embedded,
    )
