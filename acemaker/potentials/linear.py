"""Regularized linear least squares with incremental updates and cross-validation at little extra cost.

The rows of all structures are stored as one triangular factor per fold and kind of row, so that the cost of a refit
depends only on the new labels and memory does not grow with the number of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import qr, solve_triangular

KINDS = ("energy", "forces", "virial")

ROUNDING = 1e-9
"""Share of a sum of weights below which the rest is treated as zero."""


@dataclass(frozen=True, kw_only=True)
class FitErrors:
    """Root mean square errors, weighted by structure.

    Attributes
    ----------
    energy : float
        meV/atom; NaN if no energy is in the fit.
    forces : float
        meV/Å, over components.
    virial : float
        meV/atom, over the six components; NaN if no label has a stress.
    """

    energy: float
    forces: float
    virial: float


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Errors of structures predicted by fits without their folds.

    Attributes
    ----------
    errors : FitErrors
        Errors over all structures.
    solutions : dict of int to ndarray, shape (n_coefficients,)
        Coefficients of the fit without each fold, eV.
    """

    errors: FitErrors
    solutions: dict[int, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one labeled structure in the least-squares problem.

    Attributes
    ----------
    matrices : dict of str to ndarray, shape (n_rows, n_coefficients + 1)
        Matrices by kind of `KINDS`, always with forces; the label is the last column. Rows are scaled so that the sum
        of squares over a structure is its mean square times its weight.
    weight : float
        Weight of the structure relative to others.
    """

    matrices: dict[str, np.ndarray]
    weight: float = 1.0


class RidgePrior(Protocol):
    """Prior toward which a fit is shrunk, see `acemaker.potentials.ridge_prior`."""

    @property
    def rows(self) -> np.ndarray:
        """Rows whose squares are added to the loss, shape (n_rows, n_coefficients + 1)."""

    @property
    def coefficients(self) -> np.ndarray:
        """Solution of the prior's rows alone, shape (n_coefficients,), eV."""

    def worth(self, square: float) -> float:
        """Return the weight of the rows, given the mean square force error of `coefficients` on the fitted labels."""


class LeastSquares:
    """Ridge regression over folds of structures.

    The loss is the weighted sum over structures of ``w_E^2 (dE/n)^2 + w_F^2 mean(dF^2) + w_S^2 mean(dW^2)``, with the
    virial W per atom, plus ``regularization`` times the sum of the structures' weights times the sum of squared
    coefficients, each in units of the root mean square of its column.

    Parameters
    ----------
    n_coefficients
        Number of unknowns.
    weights
        Weight by kind of `KINDS`.
    regularization
        Ridge penalty, dimensionless.
    n_folds
        Number of folds of the cross-validation; structure i belongs to fold i modulo n_folds.
    """

    def __init__(self, n_coefficients: int, weights: dict[str, float], regularization: float, n_folds: int) -> None:
        self.weights = weights
        self.regularization = regularization
        self._empty = np.zeros((0, n_coefficients + 1))
        self._factors = [dict.fromkeys(KINDS, self._empty) for _ in range(n_folds)]
        self._counts = [dict.fromkeys(KINDS, 0.0) for _ in range(n_folds)]  # sums of weights
        self._prior: RidgePrior | None = None
        self._left_out = np.zeros(n_coefficients, dtype=bool)
        self.n_structures = 0

    def add(self, rows: Rows) -> None:
        """Add one structure, at a cost that does not depend on the number of structures."""
        fold = self.n_structures % len(self._factors)
        for kind, matrix in rows.matrices.items():
            self._factors[fold][kind] = _compress(np.vstack([self._factors[fold][kind], matrix]))
            self._counts[fold][kind] += rows.weight
        self.n_structures += 1

    def state(self) -> dict[str, np.ndarray]:
        """Return the factors of all structures as arrays by name, without the prior."""
        counts = [[counts[kind] for kind in KINDS] for counts in self._counts]
        factors = {
            f"{kind} {fold}": by_kind[kind]
            for kind in KINDS
            for fold, by_kind in enumerate(self._factors)
            if len(by_kind[kind])
        }
        return {"n_structures": np.array(self.n_structures), "counts": np.array(counts), **factors}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned for the same unknowns and folds.

        Raises
        ------
        KeyError, ValueError
            If the state has other unknowns or folds; nothing is changed in this case.
        """
        counts, n_structures, folds = state["counts"], int(state["n_structures"]), range(len(self._factors))
        factors = [{kind: state.get(f"{kind} {fold}", self._empty) for kind in KINDS} for fold in folds]
        widths = {factor.shape[1:] for by_kind in factors for factor in by_kind.values()}
        if counts.shape != (len(folds), len(KINDS)) or widths != {self._empty.shape[1:]}:
            raise ValueError("the triangular factors belong to another fit")
        self._counts = [dict(zip(KINDS, numbers, strict=True)) for numbers in counts.tolist()]
        self._factors, self.n_structures = factors, n_structures

    def empty_copy(self) -> LeastSquares:
        """Return a problem without structures, with the same weights and ridge penalty."""
        return LeastSquares(self._empty.shape[1] - 1, self.weights, self.regularization, len(self._factors))

    def shrink_toward(self, prior: RidgePrior) -> None:
        """Add a prior to every fit, with or without a fold; it does not enter the errors."""
        self._prior = prior

    def leave_out(self, coefficients: np.ndarray) -> None:
        """Do not fit some coefficients to the structures: without a prior, they are zero.

        Parameters
        ----------
        coefficients : ndarray of bool, shape (n_coefficients,)
            True for those to leave out.
        """
        self._left_out = coefficients

    def weighted_rows(self, folds: Sequence[int] | None = None) -> np.ndarray:
        """Stack the rows of all folds, or of some, each times the weight of its kind."""
        chosen = range(len(self._factors)) if folds is None else folds
        return np.vstack([self.weights[kind] * self._factors[fold][kind] for fold in chosen for kind in KINDS])

    def solve(self, without: int | None = None) -> np.ndarray:
        """Fit the coefficients.

        Parameters
        ----------
        without
            A fold to leave out.

        Returns
        -------
        ndarray, shape (n_coefficients,)
            Zero for functions that are zero in all rows.
        """
        folds = [fold for fold in range(len(self._factors)) if fold != without]
        stacked = self.weighted_rows(folds)
        stacked[:, :-1][:, self._left_out] = 0.0
        if self._prior is not None:
            error = self._mean([(self._prior.coefficients, fold) for fold in folds]).forces
            worth = self._prior.worth((1e-3 * error) ** 2)
            worth *= sum(counts["forces"] for counts in self._counts) / max(self.n_structures, 1)  # of an average label
            stacked = np.vstack([stacked, np.sqrt(worth) * self._prior.rows])
        weight = sum(self._counts[fold]["forces"] for fold in folds)  # all structures have forces
        columns = stacked[:, :-1]
        scale = np.sqrt((columns**2).sum(axis=0) / (weight or 1.0))
        unused = scale == 0
        scale[unused] = 1.0
        ridge = np.zeros((columns.shape[1], columns.shape[1] + 1))
        np.fill_diagonal(ridge, np.sqrt(self.regularization * weight))
        scaled = np.vstack([np.column_stack([columns / scale, stacked[:, -1]]), ridge])
        triangle = _compress(scaled)
        solution: np.ndarray = solve_triangular(triangle[:-1, :-1], triangle[:-1, -1]) / scale
        solution[unused] = 0.0  # exactly
        return solution

    def errors(self, coefficients: np.ndarray, fold: int | None = None) -> FitErrors:
        """Compute the errors of coefficients on the structures of one fold, or of all folds."""
        folds = range(len(self._factors)) if fold is None else [fold]
        return self._mean([(coefficients, index) for index in folds])

    def cross_validate(self) -> CrossValidation | None:
        """Predict each fold from the others.

        Returns
        -------
        CrossValidation or None
            None if fewer than two folds contain structures.
        """
        filled = [fold for fold, counts in enumerate(self._counts) if counts["forces"]]
        if len(filled) < 2:
            return None
        solutions = {fold: self.solve(without=fold) for fold in filled}
        errors = self._mean([(coefficients, fold) for fold, coefficients in solutions.items()])
        return CrossValidation(errors=errors, solutions=solutions)

    def fold_forces(
        self, held_out: CrossValidation | None, excluded: Sequence[tuple[int, Rows]] = ()
    ) -> tuple[float | None, ...]:
        """Return the cross-validated force error of each fold.

        Parameters
        ----------
        held_out
            The cross-validation; if None, the error of every fold is None.
        excluded
            Structures to exclude from the errors but not from the fits, with their numbers in order of `add`.

        Returns
        -------
        tuple of float or None
            meV/Å; None for a fold without structures.
        """
        solutions = held_out.solutions if held_out else {}
        errors: list[float | None] = []
        for fold, (factors, counts) in enumerate(zip(self._factors, self._counts, strict=True)):
            excluded_rows = [rows for number, rows in excluded if number % len(self._factors) == fold]
            count = counts["forces"] - sum(rows.weight for rows in excluded_rows)
            if count <= ROUNDING * counts["forces"] or fold not in solutions:
                errors.append(None)
                continue
            squares = float(np.sum((factors["forces"] @ np.append(solutions[fold], -1.0)) ** 2))
            squares -= sum(residuals(solutions[fold], rows)["forces"] for rows in excluded_rows)
            errors.append(1e3 * float(np.sqrt(max(squares, 0.0) / count)))
        return tuple(errors)

    def _mean(self, parts: list[tuple[np.ndarray, int]]) -> FitErrors:
        means = {}
        for kind in KINDS:
            squares = sum(
                float(np.sum((self._factors[fold][kind] @ np.append(coefficients, -1.0)) ** 2))
                for coefficients, fold in parts
            )
            count = sum(self._counts[fold][kind] for _, fold in parts)
            means[kind] = float(1e3 * np.sqrt(squares / count)) if count else float("nan")
        return FitErrors(energy=means["energy"], forces=means["forces"], virial=means["virial"])


def residuals(coefficients: np.ndarray, rows: Rows) -> dict[str, float]:
    """Compute mean squared residuals of one structure by kind, times its weight, in squared units of the labels."""
    vector = np.append(coefficients, -1.0)
    return {kind: float(np.sum((matrix @ vector) ** 2)) for kind, matrix in rows.matrices.items()}


def _compress(matrix: np.ndarray) -> np.ndarray:
    """Replace rows by the triangular factor with the same sums of squares, if it is shorter."""
    if matrix.shape[0] <= matrix.shape[1]:
        return matrix
    triangle: np.ndarray = qr(matrix, mode="economic", check_finite=False)[1]
    return triangle
