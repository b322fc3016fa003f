"""The posterior of the coefficients of a linear fit, and exact predictions of labels that are left out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

UNKNOWN_SCALE = 1e3
"""Standard deviation of the coefficients of functions that are zero in all labels, eV: far above any fitted one."""

ROUNDING = 1e-10
"""Smallest share of a direction that remains undetermined by the left-out rows; smaller ones are rounding errors."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Posterior:
    """Gaussian posterior of linear coefficients, for labels whose weighted residuals have a variance of 1.

    Attributes
    ----------
    factor : ndarray, shape (n_coefficients, n_coefficients)
        Upper triangular matrix R; the precision matrix of the coefficients is ``R^T R``, in 1/eV² times squares of the
        weighted labels.
    absent : ndarray of bool, shape (n_coefficients,)
        Functions that are zero in all labels, about whose coefficients nothing is known.
    excluded : ndarray of bool, shape (n_coefficients,)
        Functions that are negligible in all labels, whose coefficients are not fitted; their contributions are not
        predicted, and gamma detects them.
    """

    factor: np.ndarray
    absent: np.ndarray
    excluded: np.ndarray

    def whitened(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of a design matrix times the square root of the covariance matrix, of the same shape."""
        fitted = np.where(self.absent | self.excluded, 0.0, rows)
        result: np.ndarray = solve_triangular(self.factor, fitted.T, trans="T", check_finite=False).T
        return result

    def force_variances(self, rows: np.ndarray) -> np.ndarray:
        """Return the posterior variance of the force vector of each atom.

        Parameters
        ----------
        rows : ndarray, shape (3 n_atoms, n_coefficients)
            Forces per unit coefficient, eV/Å per eV, with consecutive components of each atom.

        Returns
        -------
        ndarray, shape (n_atoms,)
            Sum of the variances of the three components, in (eV/Å)² per unit variance of the weighted labels; infinite
            where a function contributes that is zero in all labels.
        """
        variances = _per_atom(np.sum(self.whitened(rows) ** 2, axis=1))
        unknown = _per_atom(np.abs(rows[:, self.absent]).sum(axis=1)) > 0
        return np.where(unknown, np.inf, variances)

    def samples(self, number: int, seed: int) -> np.ndarray:
        """Draw coefficients from the posterior around zero.

        Parameters
        ----------
        number
            Number of samples.
        seed
            Seed of the random numbers.

        Returns
        -------
        ndarray, shape (number, n_coefficients)
            eV; very large for functions that are zero in all labels.
        """
        normal = np.random.default_rng(seed).normal(size=(number, len(self.factor)))
        drawn: np.ndarray = solve_triangular(self.factor, normal.T, check_finite=False).T
        drawn[:, self.excluded] = 0.0
        drawn[:, self.absent] = UNKNOWN_SCALE * normal[:, self.absent]
        return drawn

    def left_out(self, rows: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predict fitted rows by the fit without them, by the block formula and without a refit.

        With H the block of the hat matrix that belongs to the rows, and e their residuals in the fit, the residuals
        without them are ``(1 - H)^-1 e``, and the covariance matrix of the prediction is ``H (1 - H)^-1`` [1]_. Both
        are exact for a fixed ridge.

        Parameters
        ----------
        rows : ndarray, shape (n_rows, n_coefficients + 1)
            Weighted rows of the fit; the label is the last column.
        coefficients : ndarray, shape (n_coefficients,)
            Solution of the fit with all rows, eV.

        Returns
        -------
        residuals, variances : ndarray, shape (n_rows,)
            Prediction minus label, and the variance of the prediction, in units of the weighted labels.

        References
        ----------
        .. [1] R. D. Cook and S. Weisberg, Residuals and Influence in Regression (Chapman and Hall, 1982), section 2.2.
        """
        residuals = rows @ np.append(coefficients, -1.0)
        whitened = self.whitened(rows[:, :-1])
        if len(whitened) < whitened.shape[1]:
            leverage, vectors = np.linalg.eigh(whitened @ whitened.T)
            leverage = np.clip(leverage, 0.0, 1.0 - ROUNDING)
            gain = leverage / (1.0 - leverage)
            return residuals + vectors @ (gain * (vectors.T @ residuals)), vectors**2 @ gain
        leverage, vectors = np.linalg.eigh(whitened.T @ whitened)
        gain = 1.0 / (1.0 - np.clip(leverage, 0.0, 1.0 - ROUNDING))
        projected = whitened @ vectors
        return residuals + projected @ (gain * (projected.T @ residuals)), projected**2 @ gain


def _per_atom(components: np.ndarray) -> np.ndarray:
    """Sum over the three components of each atom."""
    result: np.ndarray = components.reshape(-1, 3).sum(axis=1)
    return result
