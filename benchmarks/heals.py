"""What the benchmarks of heal time share: a clock that runs from a halt to the first check after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from ase import Atoms

from acemaker import Callback, Campaign, State
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear import LeastSquares


class Stopwatch(CalculatorOracle):
    """An oracle that knows how long it took."""

    seconds = 0.0

    def label(self, atoms: Atoms) -> Atoms:
        """Label, and add up."""
        started = time.perf_counter()
        labeled = super().label(atoms)
        self.seconds += time.perf_counter() - started
        return labeled


@dataclass(kw_only=True)
class Heal:
    """One heal.

    Attributes
    ----------
    steps : dict of str to float
        Seconds by state, that of LABEL without the oracle, that of EXPLORE up to the first check.
    solve : float
        Seconds of TRAIN that the least squares took, those of the cross-validation included.
    """

    steps: dict[str, float] = field(default_factory=dict)
    solve: float = 0.0

    @property
    def seconds(self) -> float:
        """From the halt to the first check after it."""
        return sum(self.steps.values())

    @property
    def rest(self) -> float:
        """The same but for the solution."""
        return self.seconds - self.solve


def heal(campaign: Campaign, oracle: Stopwatch) -> Heal:
    """Heal the halt at which a campaign stands, and go on to the next one.

    Parameters
    ----------
    campaign
        In state HALT.
    oracle
        What labels.

    Returns
    -------
    Heal
    """
    assert campaign.state is State.HALT, campaign.state
    found, checks = Heal(), []
    campaign.callbacks.append(Callback(on_check=lambda _: checks.append(time.perf_counter())))
    oracle.seconds = 0.0
    with solving() as solves:
        while campaign.state is not State.EXPLORE:  # type: ignore[comparison-overlap]  # it changes
            # what HALT does is DIAGNOSE's work
            state = str(State.DIAGNOSE if campaign.state is State.HALT else campaign.state)
            started = time.perf_counter()
            campaign.step()
            found.steps[state] = found.steps.get(state, 0.0) + time.perf_counter() - started
    found.solve = sum(solves)
    found.steps["LABEL"] -= oracle.seconds
    started = time.perf_counter()
    campaign.explore()
    found.steps["EXPLORE"] = checks[0] - started
    campaign.callbacks.clear()
    return found


@contextmanager
def solving() -> Iterator[list[float]]:
    """Note how long each least-squares solution takes."""
    seconds: list[float] = []
    solve = LeastSquares.solve

    def timed(self: LeastSquares, without: int | None = None) -> np.ndarray:
        started = time.perf_counter()
        solution = solve(self, without)
        seconds.append(time.perf_counter() - started)
        return solution

    with patch.object(LeastSquares, "solve", timed):
        yield seconds
