"""Does gamma see the errors? Misses, false alarms, and the threshold that the material asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acemaker.analysis.detection import FEWEST_STRUCTURES, Rate, enough, fewest, rate, recommended
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number

TOO_MANY = 0.5
"""Share of false alarms above which a threshold is of no use."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class GammaTrust(Record):
    """Gamma as a detector of wrong atoms.

    An atom is *wrong* if its force errs by more than the tolerance. A wrong atom whose gamma is not above the
    threshold is a *miss*, a right one whose gamma is above it a *false alarm*.

    Attributes
    ----------
    potential : int
        The generation in use.
    generation : ndarray of int, shape (n,)
        The one that an entry belongs to; not all need have been judged.
    structure : ndarray of int, shape (n,)
        The structure of each entry.
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
        What the structures are.
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
        """Which entries err by more than the tolerance, shape (n,)."""
        wrong: np.ndarray = self.error > self.tolerance
        return wrong

    def misses(self, threshold: float | None = None, generation: int | None = None) -> Rate:
        """Return the share of wrong atoms that gamma does not see.

        Parameters
        ----------
        threshold
            Of gamma; the campaign's if None.
        generation
            Of this potential alone; of all that were judged if None.
        """
        return self._rate(self.gamma <= self._level(threshold), self.wrong, generation)

    def false_alarms(self, threshold: float | None = None, generation: int | None = None) -> Rate:
        """Return the share of right atoms that gamma suspects.

        Parameters
        ----------
        threshold
            Of gamma; the campaign's if None.
        generation
            Of this potential alone; of all that were judged if None.
        """
        return self._rate(self.gamma > self._level(threshold), ~self.wrong, generation)

    def recommend(self, generation: int | None = None) -> float | None:
        """Find the largest threshold at which no more than ``miss_rate`` of the wrong atoms are missed.

        Parameters
        ----------
        generation
            Of this potential alone; of all that were judged if None.

        Returns
        -------
        float or None
            None where there are too few wrong atoms to say.
        """
        these = self._of(generation)
        wrong = self.wrong[these]
        if not enough(wrong, self.structure[these], self.miss_rate):
            return None
        return recommended(self.gamma[these], wrong, self.miss_rate)

    @property
    def answer(self) -> str:
        """Whether gamma sees the errors, in one sentence, and what of those that the last potential still has."""
        left = self.misses(generation=self.potential)
        if len(np.unique(self.generation)) > 1 and left.of and left.value > self.miss_rate:
            still = f"but of the {left.of} that generation {self.potential} has left, it misses {left.count}"
            return f"{self._answer()}; {still}"
        return self._answer()

    def _answer(self) -> str:
        level = self.recommend()
        if level is None:
            return f"too few wrong atoms to say; {self._lack()}"
        if self.misses().value <= self.miss_rate:
            return f"gamma sees the errors: at {self.threshold:g} it misses no more than {self.miss_rate:.0%}"
        if self.false_alarms(level).value <= TOO_MANY:
            return (
                f"gamma misses more than {self.miss_rate:.0%} of the errors at {self.threshold:g}; {level:g} would do"
            )
        return (
            f"gamma does not tell wrong from right here: to miss no more than {self.miss_rate:.0%}, it would suspect "
            f"{self.false_alarms(level).value:.0%} of the right atoms"
        )

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        generations = [int(one) for one in np.unique(self.generation)]
        last, level = self.potential, self.recommend()
        here = self._of(last)
        structures = counted(len(np.unique(self.structure)), "structure")
        items = [
            ("judged on", f"{structures}: {self.source}"),
            ("wrong atoms", f"{self._wrong_among(None)}: force errors above {self.tolerance:g} meV/Å"),
            ("misses", f"{self.misses()} of the wrong ones have a gamma of {self.threshold:g} or less"),
            ("false alarms", f"{self.false_alarms()} of the right ones have a gamma above {self.threshold:g}"),
        ]
        if level is None:
            items.append(("recommended threshold", f"too few wrong atoms to say; {self._lack()}"))
        else:
            items.append(("recommended threshold", f"{level:g}, the largest that misses up to {self.miss_rate:.0%}"))
            items.append(("its misses", str(self.misses(level))))
            items.append(("its false alarms", str(self.false_alarms(level))))
        if not here.any():
            items.append((f"generation {last} alone", "there is nothing to judge it by: no label came after it"))
        elif len(generations) > 1:
            said = "none of them" if not self.wrong[here].any() else str(self.misses(generation=last).count)
            items.append((f"generation {last} alone", f"{self._wrong_among(last)} are wrong, {said} missed"))
        items.append(("verdict", self.answer))
        rows = tuple(
            (
                str(one),
                str(int(self.wrong[self._of(one)].sum())),
                _percent(self.misses(generation=one)),
                _percent(self.false_alarms(generation=one)),
                "–" if (own := self.recommend(one)) is None else number(own),
            )
            for one in generations
        )
        table = Table(("generation", "wrong atoms", "misses", "false alarms", "recommended"), rows)
        return Summary(f"Does gamma see the errors of generation {last}?", tuple(items), table)

    def figure(self) -> Picture:
        """Draw every atom's error against gamma, and the rates against the threshold."""
        return draw(self)

    def _rate(self, hits: np.ndarray, among: np.ndarray, generation: int | None) -> Rate:
        these = self._of(generation)
        return rate(hits[these], among[these], self.structure[these])

    def _of(self, generation: int | None) -> np.ndarray:
        if generation is None:
            return np.ones(len(self.gamma), dtype=bool)
        these: np.ndarray = self.generation == generation
        return these

    def _level(self, threshold: float | None) -> float:
        return self.threshold if threshold is None else threshold

    def _wrong_among(self, generation: int | None) -> str:
        these = self._of(generation)
        count, of = int(self.wrong[these].sum()), int(these.sum())
        return f"{count} of {of} ({count / of:.2%})"

    def _lack(self) -> str:
        needed, have = fewest(self.miss_rate), int(self.wrong.sum())
        within = len(np.unique(self.structure[self.wrong]))
        said = f"{have} in {counted(within, 'structure')}, it takes {needed} in {FEWEST_STRUCTURES}"
        if have < needed <= len(self.error):
            worst = np.partition(self.error, len(self.error) - needed)[len(self.error) - needed]
            said += f" (the {needed} worst err by {number(float(worst))} meV/Å or more)"
        return said


def _percent(one: Rate) -> str:
    return "–" if not one.of else f"{one.value:.1%}"
