"""The guard, which decides whether a new generation may replace its predecessor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.config import PotentialConfig

GAMMA_TRAINED = 1.01
"""Largest gamma of a structure in the training set, with a margin for the tolerance of MaxVol."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Cross-validated force errors of two generations on the structures in both training sets.

    Attributes
    ----------
    before, after : float
        meV/Å, root mean square over the folds, of the predecessor and of the new fit; NaN if nothing can be compared.
    ratio : float
        Median over the folds of after divided by before. The error of a structure at the edge of the training set
        depends on which other structures surround it and dominates the mean; the median shows whether the fit itself
        has deteriorated. In sound campaigns with at least two labels it is within a few percent of 1.
    """

    before: float
    after: float
    ratio: float


def compare(before: Sequence[float | None], after: Sequence[float | None]) -> Comparison:
    """Compare force errors by fold.

    Parameters
    ----------
    before, after
        meV/Å by fold of the cross-validation; None for a fold without structures.

    Returns
    -------
    Comparison
    """
    both = [(old, new) for old, new in zip(before, after, strict=False) if old is not None and new is not None]
    if len(before) != len(after) or not both:
        return Comparison(before=float("nan"), after=float("nan"), ratio=float("nan"))
    old, new = np.array(both).T
    ratio = float(np.median(new / np.maximum(old, 1e-9)))
    return Comparison(before=_root_mean_square(old), after=_root_mean_square(new), ratio=ratio)


def reason_to_reject(
    config: PotentialConfig,
    coefficients: np.ndarray,
    comparison: Comparison,
    halted_gamma: float,
    gamma_limit: float,
) -> str:
    """Return the reason why a fit is rejected.

    Parameters
    ----------
    config
        ``cv_tolerance``.
    coefficients : ndarray
        Coefficients of the fit.
    comparison
        Comparison with its predecessor.
    halted_gamma
        Largest gamma of the halted structure under the new active set; NaN without a halted structure.
    gamma_limit
        ``threshold_add_train``.

    Returns
    -------
    str
        Empty if the fit is accepted.
    """
    if not np.isfinite(coefficients).all():
        return "the fit resulted in coefficients that are not finite"
    # trained structures have gamma 1, up to the tolerance of MaxVol: a lower limit cannot be met
    if halted_gamma > max(gamma_limit, GAMMA_TRAINED):
        return f"the halted structure still has gamma {halted_gamma:.3g}, above threshold_add_train {gamma_limit:g}"
    if comparison.ratio > 1 + config.cv_tolerance:
        return (
            f"the new labels degrade the fit: the cross-validated force error on the earlier structures rose from "
            f"{comparison.before:.3g} to {comparison.after:.3g} meV/Å (by a factor of {comparison.ratio:.3g} in the "
            f"median fold, cv_tolerance allows {1 + config.cv_tolerance:g}); either the labels are wrong or the basis "
            "is too small for them"
        )
    return ""


def reason_to_reject_known(config: PotentialConfig, known: Comparison, linear: Comparison) -> str:
    """Return the reason why a non-linear fit is rejected, by its errors on its predecessor's training set.

    A flexible potential can overfit two labels. A third, correct label then increases their error many times, although
    it is still small. The error is therefore also compared with the cross-validated error of a linear fit.

    Parameters
    ----------
    config
        ``cv_tolerance``.
    known
        Training errors on these structures, of the predecessor and of the new fit.
    linear
        Cross-validated errors of the linear fit to the same labels.

    Returns
    -------
    str
        Empty if the fit is accepted.
    """
    floor = np.nan_to_num(linear.after)
    if known.ratio > 1 + config.cv_tolerance and known.after > (1 + config.cv_tolerance) * floor:
        return (
            f"the fit has become worse on the earlier structures: their force error rose from {known.before:.3g} to "
            f"{known.after:.3g} meV/Å (by a factor of {known.ratio:.3g} in the median structure, cv_tolerance allows "
            f"{1 + config.cv_tolerance:g}), and the cross-validated error of a linear fit is {floor:.3g} meV/Å; allow "
            "more iterations, or check the new labels"
        )
    return ""


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
