"""The two-tier rule: when the extrapolation grade halts a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from acemaker.config import OTFConfig
from acemaker.engines.records import Tier


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why and when a run halted.

    Attributes
    ----------
    step : int
        The check that fulfilled the rule.
    first_step : int
        The first check of the exceedance.
    tier : {"smooth", "break"}
        Checks in a row above ``threshold_call_dft``, or one above ``threshold_break``.
    """

    step: int
    first_step: int
    tier: Tier


def epicentre(gamma: np.ndarray, rule: OTFConfig) -> np.ndarray:
    """Find the atoms whose grade exceeds ``threshold_add_train``.

    Parameters
    ----------
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades; NaN counts as beyond every threshold.
    rule
        The threshold.

    Returns
    -------
    ndarray of int, shape (n_epicentre,)
        Largest gamma first.
    """
    above = np.flatnonzero(~(gamma <= rule.threshold_add_train))
    order: np.ndarray = above[np.argsort(-gamma[above], kind="stable")]
    return order


class HaltMonitor:
    """Folds checks, one after another, into a verdict.

    Parameters
    ----------
    rule
        Thresholds and ``smooth_steps``.

    Attributes
    ----------
    first_step : int or None
        First check of the exceedance that is going on; None while there is none.
    """

    def __init__(self, rule: OTFConfig) -> None:
        self._rule = rule
        self._in_a_row = 0
        self.first_step: int | None = None

    def update(self, step: int, gamma_max: float) -> Verdict | None:
        """Take in one check.

        Parameters
        ----------
        step
            The engine's step.
        gamma_max
            Largest gamma of the system; NaN counts as beyond every threshold.

        Returns
        -------
        Verdict or None
            None while the run may go on.
        """
        gamma = math.inf if math.isnan(gamma_max) else gamma_max
        if gamma <= self._rule.threshold_call_dft:
            self._in_a_row, self.first_step = 0, None
            return None
        self._in_a_row += 1
        if self.first_step is None:
            self.first_step = step
        if gamma > self._rule.threshold_break:
            return Verdict(step=step, first_step=self.first_step, tier="break")
        if self._in_a_row >= self._rule.smooth_steps:
            return Verdict(step=step, first_step=self.first_step, tier="smooth")
        return None
