"""Test sets: structures with forces that a potential was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.analysis.generations import generations_of
from acemaker.analysis.reference import reference_trajectory_of
from acemaker.errors import ConfigError, StateError, StructureError
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.files import read_structures
from acemaker.structures.mask import mask_of

N_FRAMES = 25
"""Frames of a long set on which earlier generations are evaluated, evenly spaced."""


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """A generation, the structures to evaluate it on, and their numbers in the whole set."""

    generation: Generation
    structures: tuple[Atoms, ...]
    numbers: tuple[int, ...]


def test_sets(campaign: CampaignReader, held_out: Sequence[Atoms] | str | Path | None) -> tuple[list[TestSet], str]:
    """Choose the structures that each generation is evaluated on.

    Parameters
    ----------
    campaign
        A campaign with at least one generation.
    held_out
        Structures with forces, or a file of them; None for the analytic oracle's own trajectory, or, for other
        oracles, the labels that came after each generation.

    Returns
    -------
    test_sets : list of TestSet
        That of the last generation comes last and has all structures; those of earlier generations have some of them.
    source : str
        Description of the structures.

    Raises
    ------
    StateError
        If there is no generation, or there are no structures to evaluate it on.
    ConfigError, StructureError
        If the structures are not suitable.
    """
    if campaign.generation is None:
        raise StateError("there is no potential to evaluate yet; run campaign.prepare() first")
    known_generations = generations_of(campaign)
    last = known_generations[-1].generation
    if held_out is not None:
        frames = check_held_out(campaign, last, _read(held_out))
        source = "held-out structures"
    elif campaign.config.oracle.oracle == "lammps":
        frames = reference_trajectory_of(campaign)
        source = "independent frames"
    else:
        later = [
            TestSet(
                generation=entry.generation,
                structures=tuple(entry.labels[entry.n_structures :]),
                numbers=tuple(range(entry.n_structures, len(entry.labels))),
            )
            for entry in known_generations
            if len(entry.labels) > entry.n_structures
        ]
        if not later:
            raise StateError(
                f"generation {last.number} cannot be evaluated: the oracle {campaign.config.oracle.oracle!r} runs no "
                "dynamics of its own, and no label came after the first generation; pass labeled structures that were "
                "not used for training (held_out, or --held-out FILE)"
            )
        return later, "labels that came later, for each generation those that it was not trained on"
    subset = [int(n) for n in np.unique(np.linspace(0, len(frames) - 1, N_FRAMES).round())]
    sets = []
    for entry in known_generations:
        numbers = list(range(len(frames))) if entry is known_generations[-1] else subset
        structures = tuple(frames[number] for number in numbers)
        sets.append(TestSet(generation=entry.generation, structures=structures, numbers=tuple(numbers)))
    return sets, source


def evaluate_test_set(test_set: TestSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evaluate a generation on its structures.

    Returns
    -------
    gamma, error : ndarray, shape (n,)
        Extrapolation grade and norm of the force error, meV/Å, of each atom that counts.
    number : ndarray of int, shape (n,)
        The structure of each atom.
    """
    evaluator = evaluator_of(test_set.generation)
    gamma, error, number = [], [], []
    for atoms, index in zip(test_set.structures, test_set.numbers, strict=True):
        result = evaluator.structure(atoms)
        assert result.gamma is not None
        mask = mask_of(atoms)
        counts = np.ones(len(atoms), dtype=bool) if mask is None else mask
        gamma.append(test_set.generation.few_neighbors.finite(atoms, result.gamma)[counts])
        error.append(np.linalg.norm(1e3 * (result.forces - forces_of(atoms)), axis=1)[counts])
        number.append(np.full(int(counts.sum()), index))
    return np.concatenate(gamma), np.concatenate(error), np.concatenate(number)


def check_held_out(campaign: CampaignReader, generation: Generation, frames: Sequence[Atoms]) -> tuple[Atoms, ...]:
    """Check that a potential can be evaluated on structures.

    Raises
    ------
    ConfigError
        If there are none, one has no forces, or one was used for training.
    StructureError
        If one has an element that the potential does not have.
    """
    if not frames:
        raise ConfigError("held_out: expected labeled structures, got none")
    labels = {_key(atoms) for atoms in campaign.labeled_structures()}
    for number, atoms in enumerate(frames):
        if atoms.calc is None or "forces" not in atoms.calc.results:
            raise ConfigError(
                f"held_out: structure {number} has no forces; pass structures with energies and forces, for example "
                "from an extended XYZ file"
            )
        unknown = sorted(set(atoms.get_chemical_symbols()) - set(generation.elements))
        if unknown:
            raise StructureError(
                f"held_out: structure {number} has {', '.join(unknown)}, the potential has only "
                f"{', '.join(generation.elements)}"
            )
        if _key(atoms) in labels:
            raise ConfigError(
                f"held_out: structure {number} is a label of the campaign, which its potential may be trained on; "
                "leave it out"
            )
    return tuple(frames)


def _read(held_out: Sequence[Atoms] | str | Path) -> Sequence[Atoms]:
    if not isinstance(held_out, str | Path):
        return held_out
    path = Path(held_out)
    if not path.is_file():
        raise ConfigError(f"held_out: there is no file {path}; pass an extended XYZ file of labeled structures")
    try:
        return read_structures(path)
    except Exception as error:  # ASE's readers raise errors of many types
        raise ConfigError(f"held_out: {path} cannot be read as extended XYZ ({error})") from error


def _key(atoms: Atoms) -> tuple[bytes, bytes]:
    return atoms.numbers.tobytes(), np.round(atoms.positions, 6).tobytes()
