"""Two-tier halting rule, based on the extrapolation grade, and halts at steps that were chosen beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from acemaker.config import OTFConfig
from acemaker.engines.records import Tier


@dataclass(frozen=True, kw_only=True)
class HaltDecision:
    """Step and reason of a halt.

    Attributes
    ----------
    step : int
        Step of the check that fulfilled the rule.
    first_step : int
        Step of the first check of the exceedance.
    tier : {"smooth", "break", "probe"}
        "smooth" for consecutive checks above ``threshold_call_dft``, "break" for one above ``threshold_break``, "probe"
        for the step at which the potential is tested.
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

    Attributes
    ----------
    first_step : int or None
        Step of the first check of the current exceedance; None if there is none.
    """

    def __init__(self, rule: OTFConfig, probe_step: int | None = None) -> None:
        self._rule = rule
        self._probe_step = math.inf if probe_step is None else probe_step
        self._n_consecutive = 0
        self.first_step: int | None = None

    def update(self, step: int, gamma_max: float) -> HaltDecision | None:
        """Add one check.

        Parameters
        ----------
        step
            The engine's step.
        gamma_max
            Largest gamma of the system; NaN is treated as above every threshold.

        Returns
        -------
        HaltDecision or None
            None while the run may continue.
        """
        gamma = math.inf if math.isnan(gamma_max) else gamma_max
        if gamma <= self._rule.threshold_call_dft:
            self._n_consecutive, self.first_step = 0, None
            return HaltDecision(step=step, first_step=step, tier="probe") if step >= self._probe_step else None
        self._n_consecutive += 1
        if self.first_step is None:
            self.first_step = step
        if gamma > self._rule.threshold_break:
            return HaltDecision(step=step, first_step=self.first_step, tier="break")
        if self._n_consecutive >= self._rule.smooth_steps:
            return HaltDecision(step=step, first_step=self.first_step, tier="smooth")
        return None
