"""The choice of the ridge penalty of a linear fit by leaving out blocks of atoms.

A penalty that is too large makes functions useless that the labels determine well; one that is too small lets the fit
follow what the basis cannot describe. The best one differs between materials and bases by ten orders of magnitude.
Whole structures are the wrong thing to leave out: each was labeled because nothing else resembled it, so that fits
without it need a larger penalty than the fit with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from scipy.linalg import LinAlgError, svd

from acemaker.formatting.summary import number

Regularization = float | Literal["auto"]
"""A ridge penalty, or its choice at each fit."""

PENALTIES: tuple[float, ...] = tuple(float(f"1e{exponent}") for exponent in range(-14, -3))
"""Penalties that are compared, dimensionless. Below the smallest, rounding errors of the labels' rows matter."""

DEFAULT = 1e-10
"""Penalty if none can be chosen."""

FEWEST = 16
"""Minimum number of blocks: those of two structures."""

MOST_ROWS = 192
"""Maximum number of force components that are left out at once, which limits the cost for large cells."""

MARGIN = 0.01
"""Relative difference of held-out errors that is ignored: among equally good penalties, the largest is chosen, which
gives the smallest coefficients."""

NEGLIGIBLE = 1e-3
"""Held-out error in meV/Å below which all errors are equal."""


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """The ridge penalty of a fit, and why it was chosen.

    Attributes
    ----------
    penalty : float
        Relative to the mean square of the columns, dimensionless.
    reason : str
        Why it was chosen.
    penalties : tuple of float
        Penalties that were compared; empty if none were.
    errors : tuple of float
        Held-out force error with each of them, meV/Å: the geometric mean over blocks of atoms.

    Examples
    --------
    >>> from acemaker.potentials.ridge import Ridge
    >>> print(Ridge(penalty=1e-08, reason="set by the configuration"))
    1e-08, set by the configuration
    """

    penalty: float
    reason: str
    penalties: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Create from the fields of a JSON file, with lists for tuples."""
        return cls(**{**fields, "penalties": tuple(fields["penalties"]), "errors": tuple(fields["errors"])})

    def __str__(self) -> str:
        """Return penalty, reason and the errors with it and with the default in one line."""
        text = f"{self.penalty:g}, {self.reason}"
        if self.penalty not in self.penalties:
            return text
        errors = dict(zip(self.penalties, self.errors, strict=True))
        others = f", {number(errors[DEFAULT])} with {DEFAULT:g}" if self.penalty != DEFAULT else ""
        return f"{text}: {number(errors[self.penalty])} meV/Å{others}"


@dataclass(frozen=True, kw_only=True, eq=False)
class ForceBlock:
    """The forces on a block of atoms, which are left out together.

    Attributes
    ----------
    rows : ndarray, shape (n_components, n_coefficients + 1)
        Forces per unit coefficient and the labels in the last column, eV/Å.
    factor : float
        Factor of these rows in the fit.
    """

    rows: np.ndarray
    factor: float


def choose_ridge(rows: np.ndarray, weight: float, blocks: Sequence[ForceBlock]) -> Ridge:
    """Choose the penalty with which fits without a block of atoms predict its forces best.

    Errors of fits without a block follow exactly from those of the fit with it (Cook and Weisberg, Residuals and
    Influence in Regression, 1982), so that one singular value decomposition is enough for all blocks and penalties.
    They are averaged geometrically, so that each block counts by its ratios: those at the edge of the training set
    would dominate a mean square.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_coefficients + 1)
        All rows of the fit, with columns scaled to a mean square of 1; the label is the last column.
    weight
        Sum of the weights of the structures, which multiplies the penalty.
    blocks
        Blocks of atoms whose forces are among the rows, with scaled columns.

    Returns
    -------
    Ridge
        The largest penalty whose error is within 1 % of the smallest; `DEFAULT` with fewer than `FEWEST` blocks.
    """
    if len(blocks) < FEWEST:
        return Ridge(penalty=DEFAULT, reason="the default, with fewer than two labels to compare others")
    try:
        errors = held_out_errors(rows, weight, blocks)
    except (LinAlgError, ValueError):  # not converged, singular, or rows that are not finite
        errors = np.full((1, len(PENALTIES)), np.nan)
    if not np.isfinite(errors).all():
        return Ridge(penalty=DEFAULT, reason="the default, since others could not be compared")
    means = np.exp(np.log(np.maximum(errors, NEGLIGIBLE)).mean(axis=0))
    best = int(np.flatnonzero(means <= (1 + MARGIN) * means.min())[-1])
    return Ridge(
        penalty=PENALTIES[best],
        reason=f"chosen by leaving out {len(blocks)} blocks of atoms",
        penalties=PENALTIES,
        errors=tuple(means.tolist()),
    )


def held_out_errors(rows: np.ndarray, weight: float, blocks: Sequence[ForceBlock]) -> np.ndarray:
    """Return the force error of each block by fits without it, with each penalty.

    Parameters
    ----------
    rows, weight, blocks
        See `choose_ridge`.

    Returns
    -------
    ndarray, shape (n_blocks, n_penalties)
        meV/Å, root mean square over the components.
    """
    left, values, right = svd(rows[:, :-1], full_matrices=False)
    amplitudes = values * (left.T @ rows[:, -1])
    inverse = 1.0 / (values[:, None] ** 2 + weight * np.array(PENALTIES))
    solutions = amplitudes[:, None] * inverse
    errors = np.zeros((len(blocks), len(PENALTIES)))
    for index, block in enumerate(blocks):
        chosen = block.rows[:MOST_ROWS]
        directions = chosen[:, :-1] @ right.T
        residuals = directions @ solutions - chosen[:, -1:]
        hats = block.factor**2 * (directions * inverse.T[:, None]) @ directions.T  # one of each penalty
        left_out = np.linalg.solve(np.eye(len(chosen)) - hats, residuals.T[:, :, None])
        errors[index] = 1e3 * np.sqrt(np.mean(left_out**2, axis=(1, 2)))
    return errors
