"""What a potential is judged on: structures with forces that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.analysis.generations import generations_of
from acemaker.analysis.reference import truth_of
from acemaker.errors import ConfigError, StateError, StructureError
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.files import read_structures
from acemaker.structures.mask import mask_of

N_FRAMES = 25
"""Frames of a long set on which earlier generations are judged, evenly spaced."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Structures for a generation, and the numbers by which they are known."""

    generation: Generation
    structures: tuple[Atoms, ...]
    numbers: tuple[int, ...]


def exams(campaign: CampaignReader, held_out: Sequence[Atoms] | str | Path | None) -> tuple[list[Exam], str]:
    """Choose what each generation is judged on.

    Parameters
    ----------
    campaign
        With at least one generation.
    held_out
        Structures with forces, or a file of them; None for the oracle twin's own trajectory, or, where there is no
        twin, the labels that came after each generation.

    Returns
    -------
    exams : list of Exam
        The last generation's is the last, on all structures; those before get some of them.
    source : str
        What the structures are, for people.

    Raises
    ------
    StateError
        If there is nothing to judge, or nothing to judge it by.
    ConfigError, StructureError
        If the structures cannot serve.
    """
    if campaign.generation is None:
        raise StateError("there is no potential to judge yet; run campaign.prepare() first")
    known = generations_of(campaign)
    generations = [one.generation for one in known]
    if held_out is not None:
        frames = check_held_out(campaign, generations[-1], _read(held_out))
        source = "held-out structures"
    elif campaign.config.oracle.oracle == "lammps":
        frames = truth_of(campaign)
        source = "independent frames"
    else:
        later = [
            Exam(
                generation=one.generation, structures=tuple(one.labels[one.known :]), numbers=tuple(range(one.known, n))
            )
            for one in known
            for n in [len(one.labels)]
            if n > one.known
        ]
        if not later:
            raise StateError(
                f"there is nothing to judge generation {generations[-1].number} by: the oracle "
                f"{campaign.config.oracle.oracle!r} runs no dynamics of its own, and no label came after generation 0; "
                "give labelled structures that it never saw (held_out, or --held-out FILE)"
            )
        return later, "labels that came later, each generation on those that it had not seen"
    few = [int(n) for n in np.unique(np.linspace(0, len(frames) - 1, N_FRAMES).round())]
    return [
        Exam(generation=one, structures=tuple(frames[n] for n in numbers), numbers=tuple(numbers))
        for one in generations
        for numbers in [list(range(len(frames))) if one is generations[-1] else few]
    ], source


def grade(exam: Exam) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evaluate a generation on its structures.

    Returns
    -------
    gamma, error : ndarray, shape (n,)
        Of each atom that counts: the extrapolation grade, and the norm of the force error, meV/Å.
    number : ndarray of int, shape (n,)
        The structure of each atom.
    """
    evaluator = evaluator_of(exam.generation)
    gamma, error, number = [], [], []
    for atoms, which in zip(exam.structures, exam.numbers, strict=True):
        result = evaluator.structure(atoms)
        assert result.gamma is not None
        mask = mask_of(atoms)
        counts = np.ones(len(atoms), dtype=bool) if mask is None else mask
        gamma.append(result.gamma[counts])
        error.append(np.linalg.norm(1e3 * (result.forces - forces_of(atoms)), axis=1)[counts])
        number.append(np.full(int(counts.sum()), which))
    return np.concatenate(gamma), np.concatenate(error), np.concatenate(number)


def check_held_out(campaign: CampaignReader, generation: Generation, frames: Sequence[Atoms]) -> tuple[Atoms, ...]:
    """Refuse structures by which a potential cannot be judged.

    Raises
    ------
    ConfigError
        If there are none, one has no forces, or one was trained on.
    StructureError
        If one has an element that the potential does not know.
    """
    if not frames:
        raise ConfigError("held_out: expected labelled structures, got none")
    seen = {_key(atoms) for atoms in campaign.labels()}
    for number, atoms in enumerate(frames):
        if atoms.calc is None or "forces" not in atoms.calc.results:
            raise ConfigError(
                f"held_out: structure {number} has no forces; give structures with energies and forces, as extended "
                "XYZ files keep them"
            )
        unknown = sorted(set(atoms.get_chemical_symbols()) - set(generation.elements))
        if unknown:
            raise StructureError(
                f"held_out: structure {number} has {', '.join(unknown)}, the potential knows "
                f"{', '.join(generation.elements)} only"
            )
        if _key(atoms) in seen:
            raise ConfigError(
                f"held_out: structure {number} is a label of the campaign, by which its potential cannot be judged; "
                "leave it out"
            )
    return tuple(frames)


def _read(held_out: Sequence[Atoms] | str | Path) -> Sequence[Atoms]:
    if not isinstance(held_out, str | Path):
        return held_out
    path = Path(held_out)
    if not path.is_file():
        raise ConfigError(f"held_out: there is no file {path}; give an extended XYZ file of labelled structures")
    try:
        return read_structures(path)
    except Exception as error:  # whatever ASE's reader raises
        raise ConfigError(f"held_out: {path} cannot be read as extended XYZ ({error})") from error


def _key(atoms: Atoms) -> tuple[bytes, bytes]:
    return atoms.numbers.tobytes(), np.round(atoms.positions, 6).tobytes()
