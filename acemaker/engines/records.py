"""What an engine records of a segment: the timeline of its checks, and its soft start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number, observable

Tier = Literal["smooth", "break"]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Timeline(Record):
    """Gamma and observables at the checks of one or more segments.

    Attributes
    ----------
    step : ndarray of int, shape (n_checks,)
        Engine steps.
    gamma_max : ndarray, shape (n_checks,)
        Largest gamma of the system, dimensionless.
    observables : mapping of str to ndarray, shape (n_checks,)
        Other quantities; the name ends in the unit (``temperature_K``).
    """

    step: np.ndarray
    gamma_max: np.ndarray
    observables: Mapping[str, np.ndarray]

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        if not len(self.step):
            return Summary("Timeline: no checks")
        items = [
            ("steps", f"{self.step[0]} to {self.step[-1]}"),
            ("gamma, largest", number(self.gamma_max.max())),
        ]
        for name, values in self.observables.items():
            what, unit = observable(name)
            items.append((what, f"{number(values[0])} → {number(values[-1])} {unit}".rstrip()))
        return Summary(f"Timeline: {len(self.step)} checks", tuple(items))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SoftStart(Record):
    """How a trajectory was led over to a new potential, before it went on.

    Attributes
    ----------
    start_step : int
        The production step before and after it; its own steps do not count.
    steps : int
        Of strong damping.
    temperature_target : float
        K, of the ramp at `start_step`.
    temperature_before, temperature_highest, temperature_after : float
        K, at its first step, at the hottest of its checks and at its last step.
    heat_removed : float
        eV, taken out of the system by the damping; negative if it had to be heated.
    gamma_max : float
        Largest gamma at its checks, dimensionless.
    """

    start_step: int
    steps: int
    temperature_target: float
    temperature_before: float
    temperature_highest: float
    temperature_after: float
    heat_removed: float
    gamma_max: float

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        temperatures = (self.temperature_before, self.temperature_highest, self.temperature_after)
        before, highest, after = (number(value) for value in temperatures)
        return Summary(
            f"Soft start at step {self.start_step}",
            (
                ("steps of strong damping", f"{self.steps}, towards {number(self.temperature_target)} K"),
                ("temperature", f"{before} K before, {highest} K at most, {after} K after"),
                ("heat removed", f"{number(self.heat_removed)} eV"),
                ("gamma, largest", number(self.gamma_max)),
            ),
        )
