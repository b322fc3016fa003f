"""Calibration of gamma as a detector of wrong atoms: misses, false alarms, and the recommended threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.analysis.detection import (
    FEWEST_STRUCTURES,
    SMALLEST_THRESHOLD,
    Rate,
    enough_wrong_atoms,
    min_wrong_atoms,
    rate,
    recommended_threshold,
)
from acemaker.analysis.held_out import TestSet, evaluate_test_set, test_sets
from acemaker.errors import ConfigError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record, read_only
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.reader import CampaignReader

if TYPE_CHECKING:
    from acemaker.analysis.accuracy import Accuracy

TOO_MANY = 0.5
"""Share of false alarms above which a threshold is of no use."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class GammaCalibration(Record):
    """Gamma as a detector of wrong atoms.

    An atom is *wrong* if the norm of its force error is above the tolerance. A wrong atom whose gamma is not above the
    threshold is a *miss*, a right one whose gamma is above it a *false alarm*.

    Attributes
    ----------
    potential : int
        Number of the generation in use.
    generation : ndarray of int, shape (n,)
        Generation that each entry belongs to; some generations may have no entries.
    structure : ndarray of int, shape (n,)
        Structure of each entry.
    gamma : ndarray, shape (n,)
        Extrapolation grade of an atom, dimensionless.
    error : ndarray, shape (n,)
        Norm of its force error, meV/Å.
    tolerance : float
        meV/Å, above which an atom counts as wrong.
    threshold : float
        ``threshold_call_dft``, which halts.
    miss_rate : float
        Share of the wrong atoms that may be missed at the recommended threshold.
    source : str
        Description of the structures.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> calibration = campaign.calibrate_gamma()
    >>> calibration.misses().count
    0
    """

    potential: int
    generation: np.ndarray
    structure: np.ndarray
    gamma: np.ndarray
    error: np.ndarray
    tolerance: float
    threshold: float
    miss_rate: float
    source: str

    @property
    def wrong(self) -> np.ndarray:
        """Whether the error of each entry is above the tolerance, shape (n,)."""
        wrong: np.ndarray = self.error > self.tolerance
        return wrong

    def misses(self, threshold: float | None = None, generation: int | None = None) -> Rate:
        """Return the share of wrong atoms that gamma does not detect.

        Parameters
        ----------
        threshold
            Of gamma; the campaign's if None.
        generation
            Generation to count; all that were evaluated if None.
        """
        return self._rate(self.gamma <= self._threshold(threshold), self.wrong, generation)

    def false_alarms(self, threshold: float | None = None, generation: int | None = None) -> Rate:
        """Return the share of right atoms for which gamma raises an alarm.

        Parameters
        ----------
        threshold
            Of gamma; the campaign's if None.
        generation
            Generation to count; all that were evaluated if None.
        """
        return self._rate(self.gamma > self._threshold(threshold), ~self.wrong, generation)

    def recommend(self, generation: int | None = None) -> float | None:
        """Find the largest threshold at which no more than ``miss_rate`` of the wrong atoms are missed, at least 1.

        Environments of the training set have a gamma of up to 1, so that labels cannot bring gamma below a smaller
        threshold. If 1 still misses more, the errors are those of the fit within its training set: see `answer`.

        Parameters
        ----------
        generation
            Generation to count; all that were evaluated if None.

        Returns
        -------
        float or None
            None if there are too few wrong atoms.
        """
        entries = self._entries(generation)
        wrong = self.wrong[entries]
        if not enough_wrong_atoms(wrong, self.structure[entries], self.miss_rate):
            return None
        return max(recommended_threshold(self.gamma[entries], wrong, self.miss_rate), SMALLEST_THRESHOLD)

    @property
    def answer(self) -> str:
        """Whether gamma detects the errors, in one sentence, with the misses of the last potential if they are many."""
        last = self.misses(generation=self.potential)
        if len(np.unique(self.generation)) > 1 and last.of and last.value > self.miss_rate:
            alone = f"for generation {self.potential} alone, {self.threshold:g} misses {last.count} of {last.of}"
            return f"{self._answer()}; {alone}"
        return self._answer()

    def _answer(self) -> str:
        recommended = self.recommend()
        if recommended is None:
            return f"too few wrong atoms for an answer; {self._shortage()}"
        if self.misses().value <= self.miss_rate:
            return f"gamma detects the errors: a threshold of {self.threshold:g} misses at most {self.miss_rate:.0%}"
        if (missed := self.misses(recommended).value) > self.miss_rate:
            return (
                f"gamma does not detect the errors: a threshold of {recommended:g}, which environments of the training "
                f"set reach, misses {missed:.0%} of them. They are errors of the fit within its training set: another "
                "basis or cutoff may reduce them, and predicted force errors show them"
            )
        if self.false_alarms(recommended).value <= TOO_MANY:
            return (
                f"a threshold of {self.threshold:g} misses more than {self.miss_rate:.0%} of the errors; "
                f"{recommended:g} would be low enough"
            )
        return (
            "gamma does not separate wrong from right atoms here: to miss at most "
            f"{self.miss_rate:.0%}, it would raise false alarms for {self.false_alarms(recommended).value:.0%} of the "
            "right atoms"
        )

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        generations = [int(generation) for generation in np.unique(self.generation)]
        last, recommended = self.potential, self.recommend()
        entries = self._entries(last)
        structures = counted(len(np.unique(self.structure)), "structure")
        items = [
            ("evaluated on", f"{structures}: {self.source}"),
            ("wrong atoms", f"{self._wrong_share(None)}: force errors above {self.tolerance:g} meV/Å"),
            ("misses", f"{self.misses()} of the wrong atoms have a gamma of {self.threshold:g} or less"),
            ("false alarms", f"{self.false_alarms()} of the right atoms have a gamma above {self.threshold:g}"),
        ]
        if recommended is None:
            items.append(("recommended threshold", f"too few wrong atoms; {self._shortage()}"))
        else:
            value = f"{recommended:g}, the largest that misses at most {self.miss_rate:.0%}"
            if self.misses(recommended).value > self.miss_rate:
                value = f"{recommended:g}, the smallest one: environments of the training set reach it"
            items.append(("recommended threshold", value))
            items.append(("misses at that threshold", str(self.misses(recommended))))
            items.append(("false alarms at that threshold", str(self.false_alarms(recommended))))
        if not entries.any():
            items.append((f"generation {last} alone", "not evaluated: no label came after it"))
        elif len(generations) > 1:
            missed = "none of them" if not self.wrong[entries].any() else str(self.misses(generation=last).count)
            items.append((f"generation {last} alone", f"{self._wrong_share(last)} are wrong, {missed} missed"))
        items.append(("answer", self.answer))
        rows = tuple(
            (
                str(generation),
                str(int(self.wrong[self._entries(generation)].sum())),
                _percent(self.misses(generation=generation)),
                _percent(self.false_alarms(generation=generation)),
                "–" if (own := self.recommend(generation)) is None else number(own),
            )
            for generation in generations
        )
        table = Table(("generation", "wrong atoms", "misses", "false alarms", "recommended"), rows)
        return Summary(f"Calibration of gamma for generation {last}", tuple(items), table)

    def figure(self) -> Picture:
        """Draw the error of every atom against gamma, and the rates against the threshold."""
        return draw(self)

    def _rate(self, hits: np.ndarray, among: np.ndarray, generation: int | None) -> Rate:
        entries = self._entries(generation)
        return rate(hits[entries], among[entries], self.structure[entries])

    def _entries(self, generation: int | None) -> np.ndarray:
        if generation is None:
            return np.ones(len(self.gamma), dtype=bool)
        entries: np.ndarray = self.generation == generation
        return entries

    def _threshold(self, threshold: float | None) -> float:
        return self.threshold if threshold is None else threshold

    def _wrong_share(self, generation: int | None) -> str:
        entries = self._entries(generation)
        count, of = int(self.wrong[entries].sum()), int(entries.sum())
        return f"{count} of {of} ({count / of:.2%})"

    def _shortage(self) -> str:
        needed, n_wrong = min_wrong_atoms(self.miss_rate), int(self.wrong.sum())
        n_structures = len(np.unique(self.structure[self.wrong]))
        within = counted(n_structures, "structure")
        text = f"there are {n_wrong} in {within}, at least {needed} in {FEWEST_STRUCTURES} are needed"
        if n_wrong < needed <= len(self.error):
            smallest = np.partition(self.error, len(self.error) - needed)[len(self.error) - needed]
            text += f" (the {needed} largest errors are {number(float(smallest))} meV/Å or more)"
        return text


def _percent(share: Rate) -> str:
    return "–" if not share.of else f"{share.value:.1%}"


def calibrate_gamma(
    campaign: CampaignReader | Accuracy,
    held_out: Sequence[Atoms] | str | Path | None = None,
    *,
    tolerance: float = 100.0,
    miss_rate: float = 0.05,
    along: Accuracy | None = None,
) -> GammaCalibration:
    """Count misses and false alarms of gamma, and recommend a threshold.

    Parameters
    ----------
    campaign
        A campaign, all of whose generations are evaluated: the last one on all structures, earlier ones on some of
        them. Or an `Accuracy`, whose numbers, threshold and tolerance are used as they are.
    held_out
        Structures with energies and forces, or an extended XYZ file of them, that were not used for training. If None,
        the analytic oracle's own trajectory; for other oracles, the labels that came after each generation. These were
        selected by gamma: they show misses within the labeled structures, not structures that never halted the run.
    tolerance
        meV/Å, above which an atom's force counts as wrong.
    miss_rate
        Share of the wrong atoms that may be missed.
    along
        The result of `acemaker.analysis.evaluate_accuracy` for this campaign, so that the potential in use is not
        evaluated on the same frames again.

    Returns
    -------
    GammaCalibration

    Raises
    ------
    StateError
        If there is no generation, or there are no structures to evaluate it on.
    ConfigError, StructureError
        If tolerance, miss rate or structures are invalid.

    Examples
    --------
    >>> from acemaker.analysis import calibrate_gamma
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> calibration = calibrate_gamma(campaign, tolerance=50.0)
    >>> calibration.source
    'labels that came later, ...'
    """
    if not (tolerance > 0 and 0 < miss_rate < 1):
        raise ConfigError(
            f"expected a tolerance above 0 meV/Å and a miss_rate between 0 and 1, got {tolerance:g} and {miss_rate:g}"
        )
    if not isinstance(campaign, CampaignReader):
        accuracy = campaign
        n_atoms = len(accuracy.atom_gamma) // len(accuracy.steps)
        return GammaCalibration(
            potential=accuracy.generation,
            generation=read_only(np.full(len(accuracy.atom_gamma), accuracy.generation)),
            structure=read_only(np.repeat(np.arange(len(accuracy.steps)), n_atoms)),
            gamma=accuracy.atom_gamma,
            error=accuracy.atom_error,
            tolerance=accuracy.tolerance,
            threshold=accuracy.threshold,
            miss_rate=miss_rate,
            source="independent frames",
        )
    sets, source = test_sets(campaign, held_out)
    current = campaign.progress.generation
    assert current is not None  # otherwise test_sets raises
    results = [evaluate_test_set(test_set) for test_set in sets[:-1]]
    if along is not None and held_out is None:
        results.append(_from_accuracy(sets[-1], along))
    else:
        results.append(evaluate_test_set(sets[-1]))
    numbers = [
        np.full(len(gamma), test_set.generation.number) for test_set, (gamma, *_) in zip(sets, results, strict=True)
    ]
    gamma, error, structure = (np.concatenate(arrays) for arrays in zip(*results, strict=True))
    return GammaCalibration(
        potential=current,
        generation=read_only(np.concatenate(numbers)),
        structure=read_only(structure),
        gamma=read_only(gamma),
        error=read_only(error),
        tolerance=tolerance,
        threshold=campaign.config.otf.threshold_call_dft,
        miss_rate=miss_rate,
        source=source,
    )


def _from_accuracy(test_set: TestSet, accuracy: Accuracy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `evaluate_test_set` would return, from an accuracy evaluated on the same structures.

    Raises
    ------
    ConfigError
        If the accuracy is that of another generation or on other structures.
    """
    sizes = [len(atoms) for atoms in test_set.structures]
    if accuracy.generation != test_set.generation.number or sum(sizes) != len(accuracy.atom_gamma):
        raise ConfigError(
            f"along: expected the accuracy of generation {test_set.generation.number} on {len(sizes)} structures, "
            f"got that of generation {accuracy.generation} on {len(accuracy.steps)}; evaluate it again: "
            "campaign.evaluate_accuracy()"
        )
    return accuracy.atom_gamma, accuracy.atom_error, np.repeat(np.array(test_set.numbers), sizes)
