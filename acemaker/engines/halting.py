"""Halting rule: two tiers of the extrapolation grade, a tolerance of another measure of uncertainty, and probes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from acemaker.config import OTFConfig
from acemaker.engines.records import Tier

N_UNCERTAIN = 2
"""Number of consecutive evaluations of another measure above its tolerance that halt the run: a single one may be a
short collision."""

FAR_BEYOND = 4.0
"""Uncertainty in units of the tolerance above which a single evaluation halts the run."""


@dataclass(frozen=True, kw_only=True)
class HaltDecision:
    """Step and reason of a halt.

    Attributes
    ----------
    step : int
        Step of the check that fulfilled the rule.
    first_step : int
        Step of the first check of the exceedance.
    tier : {"smooth", "break", "uncertainty", "probe"}
        "smooth" for consecutive checks above ``threshold_call_dft``, "break" for one above ``threshold_break``,
        "uncertainty" for evaluations of another measure above its tolerance, "probe" for the step at which the
        potential is tested.
    """

    step: int
    first_step: int
    tier: Tier


def epicenter(gamma: np.ndarray, rule: OTFConfig) -> np.ndarray:
    """Return the atoms whose grade exceeds ``threshold_add_train``.

    Parameters
    ----------
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades; NaN is treated as above every threshold.
    rule
        Settings with the threshold.

    Returns
    -------
    ndarray of int, shape (n_epicenter,)
        Indices of the atoms, largest gamma first.
    """
    above = np.flatnonzero(~(gamma <= rule.threshold_add_train))
    order: np.ndarray = above[np.argsort(-gamma[above], kind="stable")]
    return order


class HaltMonitor:
    """Applies the halting rule to consecutive checks.

    Parameters
    ----------
    rule
        Thresholds and ``smooth_steps``.
    probe_step
        Step from which the next check halts the run even if gamma is low, to test the potential; None for no test.
    tolerance
        Another measure of uncertainty halts the run if it is above this value at `N_UNCERTAIN` evaluations in a row,
        or at one above `FAR_BEYOND` times the value, in the unit of the measure.
    """

    def __init__(self, rule: OTFConfig, probe_step: int | None = None, tolerance: float = math.inf) -> None:
        self._rule = rule
        self._tolerance = tolerance
        self._probe_step = math.inf if probe_step is None else probe_step
        self._graded, self._uncertain = Exceedance(), Exceedance()

    @property
    def first_step(self) -> int | None:
        """Step of the first check of the current exceedance; None if there is none."""
        steps = [exceedance.first_step for exceedance in (self._graded, self._uncertain)]
        return min((step for step in steps if step is not None), default=None)

    def update(self, step: int, gamma_max: float, uncertainty: float = math.nan) -> HaltDecision | None:
        """Add one check.

        Parameters
        ----------
        step
            The engine's step.
        gamma_max
            Largest gamma of the system; NaN is treated as above every threshold.
        uncertainty
            Largest value of another measure, infinity for unknown; NaN if it was not evaluated at this check.

        Returns
        -------
        HaltDecision or None
            None while the run may continue.
        """
        gamma = math.inf if math.isnan(gamma_max) else gamma_max
        self._graded.add(step, is_above=gamma > self._rule.threshold_call_dft)
        if is_measured := not math.isnan(uncertainty):
            self._uncertain.add(step, is_above=uncertainty > self._tolerance or uncertainty == math.inf)
        if gamma > self._rule.threshold_break:
            return self._decision(step, "break")
        if self._graded.length >= self._rule.smooth_steps:
            return self._decision(step, "smooth")
        is_far = uncertainty > FAR_BEYOND * self._tolerance or uncertainty == math.inf
        if is_measured and (is_far or self._uncertain.length >= N_UNCERTAIN):
            return self._decision(step, "uncertainty")
        if step >= self._probe_step and not self._graded.length:
            return HaltDecision(step=step, first_step=step, tier="probe")
        return None

    def _decision(self, step: int, tier: Tier) -> HaltDecision:
        """Return the decision to halt at a step that exceeds a threshold."""
        first_step = self.first_step
        return HaltDecision(step=step, first_step=step if first_step is None else first_step, tier=tier)


class Exceedance:
    """Consecutive checks above a threshold.

    Attributes
    ----------
    length : int
        Number of checks in a row, so far.
    first_step : int or None
        Step of the first of them; None if the last check was not above.
    """

    def __init__(self) -> None:
        self.length = 0
        self.first_step: int | None = None

    def add(self, step: int, *, is_above: bool) -> None:
        """Add a check."""
        if not is_above:
            self.length, self.first_step = 0, None
            return
        self.length += 1
        if self.first_step is None:
            self.first_step = step
