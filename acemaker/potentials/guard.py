"""The guard: whether a new generation may take its predecessor's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acemaker.config import PotentialConfig

GAMMA_TRAINED = 1.01
"""The largest gamma that a structure in the training set can have, with a margin for MaxVol's tolerance."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two generations' cross-validated force errors on the structures that both were trained on.

    Attributes
    ----------
    before, after : float
        meV/Å, root mean square over the folds, of the predecessor and of the new fit; NaN where nothing
        can be compared.
    ratio : float
        Median over the folds of after to before. A structure at the edge of the training set is predicted
        from others as well or as badly as they happen to surround it, which decides the mean; the median
        tells whether the fit itself has come to harm. In sound campaigns it stays within a few per cent
        of 1, from two labels on.
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


def judge(
    config: PotentialConfig,
    coefficients: np.ndarray,
    comparison: Comparison,
    anchor_gamma: float,
    gamma_limit: float,
) -> str:
    """Say why a fit is rejected.

    Parameters
    ----------
    config
        ``cv_tolerance``.
    coefficients : ndarray
        The fit's.
    comparison
        With its predecessor.
    anchor_gamma
        Largest gamma of the halted structure under the new active set; NaN without one.
    gamma_limit
        ``threshold_add_train``.

    Returns
    -------
    str
        Empty if it is accepted.
    """
    if not np.isfinite(coefficients).all():
        return "the fit gave coefficients that are not finite"
    # what was trained on has gamma 1, up to MaxVol's tolerance: a lower limit cannot be met
    if anchor_gamma > max(gamma_limit, GAMMA_TRAINED):
        return f"the halted structure still has gamma {anchor_gamma:.3g}, above threshold_add_train {gamma_limit:g}"
    if comparison.ratio > 1 + config.cv_tolerance:
        return (
            f"the new labels spoil the fit: the cross-validated force error on the structures known before rose "
            f"from {comparison.before:.3g} to {comparison.after:.3g} meV/Å (by {comparison.ratio:.3g} in the median "
            f"fold, cv_tolerance allows {1 + config.cv_tolerance:g}); either they are wrong or the basis is too "
            "small for them"
        )
    return ""


def judge_known(config: PotentialConfig, known: Comparison, linear: Comparison) -> str:
    """Say why a non-linear fit is rejected for what it makes of structures that its predecessor was trained on.

    A flexible potential can learn two labels by heart, so that a third, honest one makes their error many times as
    large, and still small: what counts is therefore also what a linear fit makes of them unseen.

    Parameters
    ----------
    config
        ``cv_tolerance``.
    known
        Training errors on these structures: of the predecessor, and of the new fit.
    linear
        Cross-validated errors of the linear fit beside it.

    Returns
    -------
    str
        Empty if it is accepted.
    """
    floor = np.nan_to_num(linear.after)
    if known.ratio > 1 + config.cv_tolerance and known.after > (1 + config.cv_tolerance) * floor:
        return (
            f"the fit has got worse on the structures known before: their force error rose from {known.before:.3g} to "
            f"{known.after:.3g} meV/Å (by {known.ratio:.3g} in the median structure, cv_tolerance allows "
            f"{1 + config.cv_tolerance:g}), and a linear fit predicts them to {floor:.3g} meV/Å unseen; allow more "
            "iterations, or look at the new labels"
        )
    return ""


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
