"""Comparison of two generations of a campaign on all its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, counted, force_error, force_share, number
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
        All labels that the campaign has trained on, oldest first.
    n_structures : int
        How many of them, from the first, this generation was trained on.
    """

    generation: Generation
    labels: tuple[Atoms, ...]
    n_structures: int

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        items = (
            ("file", f"potentials/{self.generation.name}.yace"),
            ("trained on", f"{self.n_structures} of the campaign's {counted(len(self.labels), 'label')}"),
            ("cross-validated force error", force_error(self.generation.cv_forces, self.generation.force_rms)),
        )
        return Summary(f"Generation {self.generation.number}", items)

    def __sub__(self, earlier: KnownGeneration) -> Difference:
        """Compare with an earlier generation of the same campaign."""
        if not isinstance(earlier, KnownGeneration):
            return NotImplemented
        return compare(self, earlier)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Difference(Record):
    """Differences between two generations on each label of their campaign.

    Attributes
    ----------
    later, earlier : KnownGeneration
        The two generations.
    error_later, error_earlier : ndarray, shape (n_labels,)
        Force RMSE on each label over the atoms that count, meV/Å.
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
        """Return the content of the text and HTML forms."""
        low, high = sorted((self.earlier.n_structures, self.later.n_structures))
        parts = {
            "used by both": slice(0, low),
            "new in between": slice(low, high),
            "later labels": slice(high, None),
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
        later, earlier = self.later.generation, self.earlier.generation
        items = (
            ("labels", f"{self.earlier.n_structures} → {self.later.n_structures}"),
            ("cross-validated force error", f"{_cv(earlier)} → {_cv(later)} meV/Å{_shares(earlier, later)}"),
        )
        header = ("labels", "number", "force RMSE / (meV/Å)", "largest gamma", "force difference / (meV/Å)")
        title = f"Generation {later.number} compared with generation {earlier.number}"
        return Summary(title, items, Table(header, tuple(rows)))

    def figure(self) -> Picture:
        """Draw force errors and gamma of both generations on all labels."""
        return draw(self)


def compare(later: KnownGeneration, earlier: KnownGeneration) -> Difference:
    """Compare two generations on all labels of their campaign.

    Parameters
    ----------
    later, earlier
        Generations of one campaign.

    Returns
    -------
    Difference
    """
    forces, errors, gamma = _evaluate(later.generation, later.labels)
    forces_before, errors_before, gamma_before = _evaluate(earlier.generation, later.labels)
    differences = [1e3 * _rms(after - before) for after, before in zip(forces, forces_before, strict=True)]
    return Difference(
        later=later,
        earlier=earlier,
        error_later=read_only(errors),
        error_earlier=read_only(errors_before),
        gamma_later=read_only(gamma),
        gamma_earlier=read_only(gamma_before),
        forces=read_only(differences),
    )


def _evaluate(generation: Generation, labels: Sequence[Atoms]) -> tuple[list[np.ndarray], list[float], list[float]]:
    """Return, for each label, the forces of the atoms that count, their RMSE in meV/Å, and their largest gamma."""
    evaluator = evaluator_of(generation)
    forces, errors, gammas = [], [], []
    for atoms in labels:
        mask = mask_of(atoms)
        counts = np.ones(len(atoms), dtype=bool) if mask is None else mask
        result = evaluator.structure(atoms)
        assert result.gamma is not None
        forces.append(result.forces[counts])
        errors.append(1e3 * _rms(result.forces[counts] - forces_of(atoms)[counts]))
        gammas.append(float(generation.few_neighbors.finite(atoms, result.gamma)[counts].max()))
    return forces, errors, gammas


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _shares(earlier: Generation, later: Generation) -> str:
    """Return the errors of both relative to the forces of their labels, if they are known."""
    shares = [force_share(generation.cv_forces, generation.force_rms) for generation in (earlier, later)]
    return f" ({' → '.join(shares)} of the forces' rms)" if all(shares) else ""


def _cv(generation: Generation) -> str:
    return "–" if generation.cv_forces is None else number(generation.cv_forces)


def generations_of(campaign: CampaignReader) -> tuple[KnownGeneration, ...]:
    """List the accepted generations of a campaign, with the labels to compare them on.

    Examples
    --------
    >>> from acemaker.analysis import generations_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> first, second = generations_of(campaign)
    >>> print((second - first).headline())
    Generation 2 compared with generation 1
    """
    labels = tuple(campaign.trained_on())
    return tuple(
        KnownGeneration(generation=generation, labels=labels, n_structures=generation.n_structures)
        for number in range(1, (campaign.progress.generation or 0) + 1)
        for generation in [campaign.known_generation(number)]
    )
