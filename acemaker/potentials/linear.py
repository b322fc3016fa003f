"""Regularized linear least squares with incremental updates and cross-validation at little extra cost.

The rows of all structures are stored as one triangular factor per fold and kind of row, so that the cost of a refit
depends only on the new labels and memory does not grow with the number of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import qr, solve_triangular

from acemaker.potentials.posterior import Posterior
from acemaker.potentials.ridge import DEFAULT, ForceBlock, Regularization, Ridge, choose_ridge

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
        Ridge penalty, dimensionless, or "auto" to choose it at each fit with the blocks of `leave_out_blocks`.
    n_folds
        Number of folds of the cross-validation; structure i belongs to fold i modulo n_folds.
    """

    def __init__(
        self, n_coefficients: int, weights: dict[str, float], regularization: Regularization, n_folds: int
    ) -> None:
        self.weights = weights
        self.regularization = regularization
        self._empty = np.zeros((0, n_coefficients + 1))
        self._factors = [dict.fromkeys(KINDS, self._empty) for _ in range(n_folds)]
        self._counts = [dict.fromkeys(KINDS, 0.0) for _ in range(n_folds)]  # sums of weights
        self._prior: RidgePrior | None = None
        self._ridge: Ridge | None = None  # of the present rows
        self._blocks: Callable[[], Sequence[ForceBlock]] | None = None
        self._left_out = np.zeros(n_coefficients, dtype=bool)
        self.n_structures = 0

    def add(self, rows: Rows) -> None:
        """Add one structure, at a cost that does not depend on the number of structures."""
        fold = self.n_structures % len(self._factors)
        for kind, matrix in rows.matrices.items():
            self._factors[fold][kind] = _compress(np.vstack([self._factors[fold][kind], matrix]))
            self._counts[fold][kind] += rows.weight
        self.n_structures += 1
        self._ridge = None

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
        self._ridge = None

    def empty_copy(self) -> LeastSquares:
        """Return a problem without structures, with the same weights and ridge penalty."""
        return LeastSquares(self._empty.shape[1] - 1, self.weights, self.regularization, len(self._factors))

    def shrink_toward(self, prior: RidgePrior) -> None:
        """Add a prior to every fit, with or without a fold; it does not enter the errors."""
        self._prior, self._ridge = prior, None

    def leave_out_blocks(self, blocks: Callable[[], Sequence[ForceBlock]]) -> None:
        """Choose the ridge penalty, if it is "auto", by leaving out blocks of atoms.

        Parameters
        ----------
        blocks
            Returns the blocks of the structures, with the factor of their rows in `weighted_rows`.
        """
        self._blocks, self._ridge = blocks, None

    def leave_out(self, coefficients: np.ndarray) -> None:
        """Do not fit some coefficients to the structures: without a prior, they are zero.

        Parameters
        ----------
        coefficients : ndarray of bool, shape (n_coefficients,)
            True for those to leave out.
        """
        self._left_out, self._ridge = coefficients, None

    def weighted_rows(self, folds: Sequence[int] | None = None) -> np.ndarray:
        """Stack the rows of all folds, or of some, each times the weight of its kind."""
        chosen = range(len(self._factors)) if folds is None else folds
        return np.vstack([self.weights[kind] * self._factors[fold][kind] for fold in chosen for kind in KINDS])

    @property
    def ridge(self) -> Ridge:
        """The ridge penalty of the fit to all structures, which is also used in its cross-validation."""
        if self._ridge is None:
            if self.regularization != "auto":
                self._ridge = Ridge(penalty=self.regularization, reason="set by the configuration")
            elif self._blocks is None:
                self._ridge = Ridge(penalty=DEFAULT, reason="the default")
            else:
                rows, scale, _, weight = self._scaled()
                blocks = [
                    ForceBlock(rows=self._fitted(block.rows) / np.append(scale, 1.0), factor=block.factor)
                    for block in self._blocks()
                ]
                self._ridge = choose_ridge(_compress(rows), weight, blocks)
        return self._ridge

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
        triangle, scale, unused = self._triangle(without)
        solution: np.ndarray = solve_triangular(triangle[:-1, :-1], triangle[:-1, -1]) / scale
        solution[unused] = 0.0  # exactly
        return solution

    def posterior(self) -> Posterior:
        """Return the posterior of the coefficients of `solve`, for weighted residuals with a variance of 1."""
        triangle, scale, unused = self._triangle()
        excluded = unused & self._left_out
        return Posterior(factor=triangle[:-1, :-1] * scale, absent=unused & ~excluded, excluded=excluded)

    def left_out(self, rows: Rows) -> np.ndarray:
        """Compute the force errors of the fit without one of its structures, for that structure.

        They follow exactly from the errors e of the fit with it, ``(1 - H)^-1 e``, where H is the block of the hat
        matrix of its rows (Cook and Weisberg, Residuals and Influence in Regression, 1982).

        Parameters
        ----------
        rows
            Rows of one structure that was added.

        Returns
        -------
        ndarray, shape (n_force_rows,)
            Prediction minus label, scaled as the rows are; NaN if no other structure determines them.
        """
        triangle, scale, _ = self._triangle()
        coefficients = self.solve()
        stacked = np.vstack([self.weights[kind] * matrix for kind, matrix in rows.matrices.items()])
        stacked[:, :-1][:, self._left_out] = 0.0
        errors = stacked @ np.append(coefficients, -1.0)
        half = solve_triangular(triangle[:-1, :-1], (stacked[:, :-1] / scale).T, trans="T")
        try:
            if len(stacked) <= len(half):
                left_out = np.linalg.solve(np.eye(len(stacked)) - half.T @ half, errors)
            else:  # the same by the push-through identity, with a matrix of the size of the coefficients
                left_out = errors + half.T @ np.linalg.solve(np.eye(len(half)) - half @ half.T, half @ errors)
        except np.linalg.LinAlgError:  # no other structure determines some of its functions
            left_out = np.full(len(stacked), np.nan)
        first = 0
        for kind, matrix in rows.matrices.items():
            if kind == "forces":
                break
            first += len(matrix)
        forces: np.ndarray = left_out[first : first + len(rows.matrices["forces"])] / self.weights["forces"]
        return forces

    def _triangle(self, without: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the triangular factor of the scaled rows with the penalty, the scale, and which columns are zero."""
        rows, scale, unused, weight = self._scaled(without)
        ridge = np.zeros((len(scale), len(scale) + 1))
        np.fill_diagonal(ridge, np.sqrt(self.ridge.penalty * weight))
        return _compress(np.vstack([rows, ridge])), scale, unused

    def _fitted(self, rows: np.ndarray) -> np.ndarray:
        fitted = rows.copy()
        fitted[:, :-1][:, self._left_out] = 0.0
        return fitted

    def _scaled(self, without: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Return the weighted rows with scaled columns, the scale, which columns are zero, and the sum of weights."""
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
        return np.column_stack([columns / scale, stacked[:, -1]]), scale, unused, weight

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
