"""Records of a segment: the timeline of its checks and its soft start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number, observable

Tier = Literal["smooth", "break", "uncertainty", "probe"]
"""Why a segment ends in a halt: too many consecutive checks above ``threshold_call_dft``, one above
``threshold_break``, one whose predicted force error or other measure of uncertainty is above the tolerance, or a step
at which the potential is tested although gamma is low."""


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
        Other quantities; each name ends in its unit (``temperature_K``). NaN at checks at which they were not
        evaluated.
    """

    step: np.ndarray
    gamma_max: np.ndarray
    observables: Mapping[str, np.ndarray]

    def summary(self) -> Summary:
        """Return the content of the record's representation."""
        if not len(self.step):
            return Summary("Timeline: no checks")
        items = [
            ("steps", f"{self.step[0]} to {self.step[-1]}"),
            ("gamma, largest", number(self.gamma_max.max())),
        ]
        for name, values in self.observables.items():
            quantity, unit = observable(name)
            if np.isnan(values).any() and not np.isnan(values).all():  # not evaluated at every check
                items.append((f"{quantity}, largest", f"{number(np.nanmax(values))} {unit}".rstrip()))
                continue
            items.append((quantity, f"{number(values[0])} → {number(values[-1])} {unit}".rstrip()))
        return Summary(f"Timeline: {len(self.step)} checks", tuple(items))

    def figure(self) -> Picture:
        """Draw gamma and the observables at the checks."""
        return draw(self)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SoftStart(Record):
    """Damped run that adapts a trajectory to a new potential before production continues.

    Attributes
    ----------
    start_step : int
        Production step before and after the soft start, whose own steps are not counted.
    steps : int
        Number of steps with strong damping.
    temperature_target : float
        Temperature of the ramp at `start_step`, K.
    temperature_before, temperature_highest, temperature_after : float
        Temperature at the first step, at the hottest check and at the last step, K.
    heat_removed : float
        Energy that the damping removed from the system, eV; negative if it heated the system.
    gamma_max : float
        Largest gamma at the checks of the soft start, dimensionless.
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
        """Return the content of the record's representation."""
        temperatures = (self.temperature_before, self.temperature_highest, self.temperature_after)
        before, highest, after = (number(value) for value in temperatures)
        return Summary(
            f"Soft start at step {self.start_step}",
            (
                ("steps of strong damping", f"{self.steps}, toward {number(self.temperature_target)} K"),
                ("temperature", f"{before} K before, {highest} K at most, {after} K after"),
                ("heat removed", f"{number(self.heat_removed)} eV"),
                ("gamma, largest", number(self.gamma_max)),
            ),
        )
