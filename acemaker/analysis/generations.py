"""What one generation knows that another did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.mask import mask_of


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class KnownGeneration(Record):
    """A generation of a campaign, with the labels to compare it on.

    Attributes
    ----------
    generation : Generation
        Its files.
    labels : tuple of Atoms
        All that the campaign has trained on, oldest first; the generation itself knows the first `known` of them.
    known : int
        How many of them it was trained on.
    """

    generation: Generation
    labels: tuple[Atoms, ...]
    known: int

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        cv = self.generation.cv_forces
        items = (
            ("file", f"potentials/{self.generation.name}.yace"),
            ("trained on", f"{self.known} of the campaign's {counted(len(self.labels), 'label')}"),
            ("cross-validated force error", f"{number(cv)} meV/Å" if cv is not None else "–"),
        )
        return Summary(f"Generation {self.generation.number}", items)

    def __sub__(self, earlier: KnownGeneration) -> Difference:
        """Compare with an earlier generation of the same campaign."""
        if not isinstance(earlier, KnownGeneration):
            return NotImplemented
        return compare(self, earlier)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Difference(Record):
    """What changed between two generations, structure by structure over all labels.

    Attributes
    ----------
    later, earlier : KnownGeneration
        What was compared.
    error_later, error_earlier : ndarray, shape (n_labels,)
        Force RMSE on each label, of the atoms that count, meV/Å.
    gamma_later, gamma_earlier : ndarray, shape (n_labels,)
        Largest gamma of the atoms that count.
    forces : ndarray, shape (n_labels,)
        RMS difference between the forces of the two, meV/Å.
    """

    later: KnownGeneration
    earlier: KnownGeneration
    error_later: np.ndarray
    error_earlier: np.ndarray
    gamma_later: np.ndarray
    gamma_earlier: np.ndarray
    forces: np.ndarray

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        low, high = sorted((self.earlier.known, self.later.known))
        parts = {
            "known to both": slice(0, low),
            "new in between": slice(low, high),
            "later ones": slice(high, None),
        }
        rows = []
        for name, part in parts.items():
            n = len(self.forces[part])
            if n:
                pairs = ((self.error_earlier, self.error_later), (self.gamma_earlier, self.gamma_later))
                (before, after), (gamma_before, gamma_after) = pairs
                rows.append(
                    (
                        name,
                        str(n),
                        f"{number(_rms(before[part]))} → {number(_rms(after[part]))}",
                        f"{number(gamma_before[part].max())} → {number(gamma_after[part].max())}",
                        number(_rms(self.forces[part])),
                    )
                )
        one, other = self.later.generation, self.earlier.generation
        items = (
            ("labels", f"{self.earlier.known} → {self.later.known}"),
            ("cross-validated force error", f"{_cv(other)} → {_cv(one)} meV/Å"),
        )
        header = ("labels", "number", "force RMSE / (meV/Å)", "largest gamma", "forces differ by / (meV/Å)")
        title = f"Generation {one.number} against generation {other.number}"
        return Summary(title, items, Table(header, tuple(rows)))

    def figure(self) -> Picture:
        """Draw force errors and gamma of both over all labels."""
        return draw(self)


def compare(later: KnownGeneration, earlier: KnownGeneration) -> Difference:
    """Compare two generations on all labels of their campaign.

    Parameters
    ----------
    later, earlier
        Of one campaign.

    Returns
    -------
    Difference
    """
    told = [_tell(one.generation, later.labels) for one in (later, earlier)]
    (forces, errors, gamma), (forces_before, errors_before, gamma_before) = told
    apart = [1e3 * _rms(one - other) for one, other in zip(forces, forces_before, strict=True)]
    return Difference(
        later=later,
        earlier=earlier,
        error_later=read_only(errors),
        error_earlier=read_only(errors_before),
        gamma_later=read_only(gamma),
        gamma_earlier=read_only(gamma_before),
        forces=read_only(apart),
    )


def _tell(generation: Generation, labels: Sequence[Atoms]) -> tuple[list[np.ndarray], list[float], list[float]]:
    """Return forces of the atoms that count, their errors in meV/Å, and their largest gamma, by label."""
    evaluator = evaluator_of(generation)
    forces, errors, gammas = [], [], []
    for atoms in labels:
        mask = mask_of(atoms)
        counts = np.ones(len(atoms), dtype=bool) if mask is None else mask
        told = evaluator.structure(atoms)
        assert told.gamma is not None
        forces.append(told.forces[counts])
        errors.append(1e3 * _rms(told.forces[counts] - forces_of(atoms)[counts]))
        gammas.append(float(told.gamma[counts].max()))
    return forces, errors, gammas


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _cv(generation: Generation) -> str:
    return "–" if generation.cv_forces is None else number(generation.cv_forces)


def generations_of(campaign: CampaignReader) -> tuple[KnownGeneration, ...]:
    """List the accepted generations of a campaign, with the labels to compare them on."""
    labels = tuple(campaign.trained_on())
    return tuple(
        KnownGeneration(generation=generation, labels=labels, known=generation.n_structures)
        for number in range(campaign.progress.generation + 1)
        for generation in [campaign.known_generation(number)]
    )
