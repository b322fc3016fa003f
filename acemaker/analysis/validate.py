"""Evaluates generations on structures that they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.analysis.gamma_calibration import GammaTrust
from acemaker.analysis.held_out import Exam, exams, grade
from acemaker.errors import ConfigError
from acemaker.formatting.record import read_only
from acemaker.loop.reader import CampaignReader

if TYPE_CHECKING:
    from acemaker.analysis.accuracy import Verdict


def judge_gamma(
    judged: CampaignReader | Verdict,
    held_out: Sequence[Atoms] | str | Path | None = None,
    *,
    tolerance: float = 100.0,
    miss_rate: float = 0.05,
    along: Verdict | None = None,
) -> GammaTrust:
    """Count misses and false alarms of gamma, and recommend a threshold.

    Parameters
    ----------
    judged
        A campaign, all of whose generations are judged: the last one on all structures, those before on some. Or a
        `Verdict`, whose numbers, threshold and tolerance are taken as they are.
    held_out
        Structures with energies and forces, or an extended XYZ file of them, that the campaign never saw. If None, the
        oracle twin's own trajectory; where the oracle is none, the labels that came after each generation. These
        were chosen by gamma, so that they tell of misses within them, not of structures that never halted the run.
    tolerance
        meV/Å, above which an atom's force counts as wrong.
    miss_rate
        Share of the wrong atoms that may be missed.
    along
        The campaign's own `acemaker.judge`, whose frames the potential in use need not be evaluated on again.

    Returns
    -------
    GammaTrust

    Raises
    ------
    StateError
        If there is no generation, or nothing to judge it by.
    ConfigError, StructureError
        If tolerance, miss rate or structures cannot serve.
    """
    if not (tolerance > 0 and 0 < miss_rate < 1):
        raise ConfigError(
            f"expected a tolerance above 0 meV/Å and a miss_rate between 0 and 1, got {tolerance:g} and {miss_rate:g}"
        )
    if not isinstance(judged, CampaignReader):
        n_atoms = len(judged.atom_gamma) // len(judged.steps)
        return GammaTrust(
            potential=judged.generation,
            generation=read_only(np.full(len(judged.atom_gamma), judged.generation)),
            structure=read_only(np.repeat(np.arange(len(judged.steps)), n_atoms)),
            gamma=judged.atom_gamma,
            error=judged.atom_error,
            tolerance=judged.tolerance,
            threshold=judged.threshold,
            miss_rate=miss_rate,
            source="independent frames",
        )
    papers, source = exams(judged, held_out)
    grades = [grade(exam) for exam in papers[:-1]]
    grades.append(_along(papers[-1], along) if along is not None and held_out is None else grade(papers[-1]))
    return GammaTrust(
        potential=judged.progress.generation,
        generation=read_only(
            np.concatenate(
                [np.full(len(one[0]), exam.generation.number) for exam, one in zip(papers, grades, strict=True)]
            )
        ),
        structure=read_only(np.concatenate([one[2] for one in grades])),
        gamma=read_only(np.concatenate([one[0] for one in grades])),
        error=read_only(np.concatenate([one[1] for one in grades])),
        tolerance=tolerance,
        threshold=judged.config.otf.threshold_call_dft,
        miss_rate=miss_rate,
        source=source,
    )


def _along(exam: Exam, verdict: Verdict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the grades of the potential in use from its verdict.

    Raises
    ------
    ConfigError
        If it is that of another potential, or along other structures.
    """
    sizes = [len(atoms) for atoms in exam.structures]
    if verdict.generation != exam.generation.number or sum(sizes) != len(verdict.atom_gamma):
        raise ConfigError(
            f"along: expected a verdict on generation {exam.generation.number} along {len(sizes)} structures, got one "
            f"on generation {verdict.generation} along {len(verdict.steps)}; make it anew: acemaker.judge(campaign)"
        )
    return verdict.atom_gamma, verdict.atom_error, np.repeat(np.array(exam.numbers), sizes)
