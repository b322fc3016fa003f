"""Progress of a campaign as lines of text, the same in every run of one configuration but for labels' seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from acemaker.formatting.record import Record
from acemaker.formatting.summary import number, observable

if TYPE_CHECKING:
    from pathlib import Path

    from acemaker.engines.protocol import Check
    from acemaker.potentials.optimizer import Iteration
    from acemaker.steps.label import Taken


class Reporter:
    """Prints a line for each tenth of the trajectory and of a fit, and for each state's result.

    Parameters
    ----------
    n_steps
        Steps of the whole trajectory.
    walker
        Returns the number of the walker that explores; None where there is only one.
    """

    def __init__(self, n_steps: int, walker: Callable[[], int] | None = None) -> None:
        self._n_steps, self._walker = n_steps, walker
        self._tenths: dict[int, int] = {}

    def check(self, check: Check) -> None:
        """Take note of a check."""
        tenth, walker = 10 * check.step // self._n_steps, self._walker() if self._walker else 0
        if tenth > self._tenths.get(walker, -1):
            self._tenths[walker] = tenth
            shown = [f"gamma {number(check.gamma_max)}"]
            for name, value in list(check.observables.items())[:1]:
                what, unit = observable(name)
                shown.append(f"{what} {number(value)} {unit}".rstrip())
            who = f"walker {walker}  " if walker else ""
            self._print(f"{who}step {check.step:>7} of {self._n_steps}  {'  '.join(shown)}")

    def iteration(self, iteration: Iteration) -> None:
        """Take note of an optimiser's step: the first, and each tenth of them."""
        if iteration.number % max(iteration.most // 10, 1) == 0:
            self._print(str(iteration))

    def label(self, taken: Taken) -> None:
        """Take note of a label; a single one is told by its state's result."""
        if taken.total > 1:
            seconds = f", {taken.seconds:.0f} s" if taken.seconds >= 1 else ""
            self._print(f"label {taken.number} of {taken.total}: candidate {taken.candidate}{seconds}")

    def result(self, record: Record) -> None:
        """Take note of a state's result."""
        self._print(record.headline())

    def interrupted(self, directory: Path) -> None:
        """Say that nothing is lost."""
        self._print(f"interrupted; what was done is kept in {directory}, and the same call goes on from there")

    @staticmethod
    def _print(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
