"""GENERATE: make candidates around the anchor."""

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
    """Make the candidates of a halt.

    Parameters
    ----------
    diagnosis
        The anchor and the epicentre.
    rule
        Number and kind of the candidates.
    rng
        Random numbers of this halt alone.
    grade
        Gives gamma and features of structures, ``trainer.grade``.
    temperature
        K, of the trajectory where it halted.
    calculator
        Makes an ASE calculator of the current potential, ``generation.calculator``; only asked by strategies that
        need forces.
    file
        Where the candidates are written; None to keep them in memory.
    max_atoms
        What the oracle affords; the anchor of a larger structure is a small cell embedded around its epicentre. None
        for no limit.
    embedding
        How it is cut; the defaults if None.

    Returns
    -------
    Candidates

    Raises
    ------
    EmbeddingError
        If the structure is too large and no small cell can stand for it.
    """
    anchor, epicentre, embedded = diagnosis.structure, diagnosis.epicentre, ""
    if max_atoms is not None and len(anchor) > max_atoms:
        centres = epicentre if len(epicentre) else np.array([anchor.arrays["gamma"].argmax()])
        cell = embed(anchor, centres, calculator(), max_atoms=max_atoms, config=embedding, rule=rule)
        anchor, epicentre, embedded = cell.structure, _in_cell(cell, centres), cell.headline()
    site = Site.around(
        anchor,
        epicentre,
        radius=rule.candidate_radius,
        temperature=temperature,
        calculator=calculator,
    )
    made = make_candidates(site, rule, rng, grade)
    # what is read back is what was graded, to the bit
    structures = made.structures if file is None else write_structures(file, made.structures)
    return describe(diagnosis.halt.number, structures, made.grading, made.dropped, rule, embedded)


def _in_cell(cell: EmbeddedCell, epicentre: np.ndarray) -> np.ndarray:
    """Find the epicentre's atoms in the core of an embedded cell, worst first."""
    places = [np.flatnonzero(cell.core & (cell.indices == atom)) for atom in epicentre]
    return np.concatenate(places)


@single_threaded
def describe(
    halt_number: int,
    structures: Sequence[Atoms],
    grading: Grading,
    dropped: Mapping[str, int],
    rule: OTFConfig,
    embedded: str = "",
) -> Candidates:
    """Lay graded structures out in a plane.

    Parameters
    ----------
    halt_number
        The halt they belong to.
    structures
        With ``info["origin"]`` and ``info["distance_A"]``.
    grading
        Gamma and features of each.
    dropped
        How many more were made and dropped, by reason.
    rule
        Its thresholds are kept with them.
    embedded
        Of an embedded anchor: what it is.

    Returns
    -------
    Candidates
    """
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
        gamma=tuple(read_only(gamma, float) for gamma in grading.gamma),
        thresholds=(rule.threshold_add_train, rule.threshold_call_dft, rule.threshold_break),
        dropped=dropped,
        embedded=embedded,
    )
