"""Regularised linear least squares that grows with the labels, with cross-validation for free.

What a structure teaches is kept as a triangular factor per fold and kind of row, so that a refit costs
what is new and memory does not grow with the number of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import qr, solve_triangular

KINDS = ("energy", "forces", "virial")

ROUNDING = 1e-9
"""Share of a sum of weights that is taken for nothing."""


@dataclass(frozen=True, kw_only=True)
class FitErrors:
    """Root mean squares over structures, each counting by its weight.

    Attributes
    ----------
    energy : float
        meV/atom; NaN where no energy counted.
    forces : float
        meV/Å, over components.
    virial : float
        meV/atom, over the six components; NaN where no label had a stress.
    """

    energy: float
    forces: float
    virial: float


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Every structure predicted by a fit that has not seen its fold.

    Attributes
    ----------
    errors : FitErrors
        Over all structures.
    solutions : dict of int to ndarray, shape (n_coefficients,)
        The coefficients with which each fold was predicted.
    """

    errors: FitErrors
    solutions: dict[int, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One labelled structure, ready to be fitted.

    Attributes
    ----------
    matrices : dict of str to ndarray, shape (n_rows, n_coefficients + 1)
        By kind of `KINDS`, forces always; the label is the last column. Rows are scaled so that the sum of squares over
        a structure is its mean square times its weight.
    weight : float
        The structure's, beside others.
    """

    matrices: dict[str, np.ndarray]
    weight: float = 1.0


class Leaning(Protocol):
    """What a fit may lean on, see `acemaker.potentials.ridge_prior`."""

    @property
    def rows(self) -> np.ndarray:
        """Rows whose squares are added to the loss, shape (n_rows, n_coefficients + 1)."""

    @property
    def coefficients(self) -> np.ndarray:
        """What they alone give, shape (n_coefficients,), eV."""

    def worth(self, square: float) -> float:
        """Weigh them, by the mean square force error of `coefficients` on the structures that are fitted."""


class LeastSquares:
    """Ridge regression over folds of structures.

    The loss is the sum over structures, each times its weight, of ``w_E^2 (dE/n)^2 + w_F^2 mean(dF^2) + w_S^2
    mean(dW^2)``, with the virial W per atom, plus ``regularisation`` times the sum of these weights times the sum of
    squared coefficients, each in units of its column's root mean square.

    Parameters
    ----------
    n_coefficients
        Number of unknowns.
    weights
        Weight by kind of `KINDS`.
    regularisation
        Ridge penalty, dimensionless.
    n_folds
        Folds of the cross-validation; structure i belongs to fold i modulo n_folds.
    """

    def __init__(self, n_coefficients: int, weights: dict[str, float], regularisation: float, n_folds: int) -> None:
        self.weights = weights
        self.regularisation = regularisation
        self._empty = np.zeros((0, n_coefficients + 1))
        self._factors = [dict.fromkeys(KINDS, self._empty) for _ in range(n_folds)]
        self._counts = [dict.fromkeys(KINDS, 0.0) for _ in range(n_folds)]  # sums of weights
        self._prior: Leaning | None = None
        self.n_structures = 0

    def add(self, rows: Rows) -> None:
        """Take in one structure, at a cost that does not depend on how many there are."""
        fold = self.n_structures % len(self._factors)
        for kind, matrix in rows.matrices.items():
            self._factors[fold][kind] = _compress(np.vstack([self._factors[fold][kind], matrix]))
            self._counts[fold][kind] += rows.weight
        self.n_structures += 1

    def state(self) -> dict[str, np.ndarray]:
        """Return all that was taken in, as arrays by name; not what is leant on."""
        counts = [[counts[kind] for kind in KINDS] for counts in self._counts]
        factors = {
            f"{kind} {fold}": one[kind] for kind in KINDS for fold, one in enumerate(self._factors) if len(one[kind])
        }
        return {"n_structures": np.array(self.n_structures), "counts": np.array(counts), **factors}

    def adopt(self, state: Mapping[str, np.ndarray]) -> None:
        """Undo `state`, in one that has the same unknowns and folds.

        Raises
        ------
        KeyError, ValueError
            If it has others; nothing is changed then.
        """
        counts, n_structures, folds = state["counts"], int(state["n_structures"]), range(len(self._factors))
        factors = [{kind: state.get(f"{kind} {fold}", self._empty) for kind in KINDS} for fold in folds]
        widths = {factor.shape[1:] for one in factors for factor in one.values()}
        if counts.shape != (len(folds), len(KINDS)) or widths != {self._empty.shape[1:]}:
            raise ValueError("the triangles are those of another fit")
        self._counts = [dict(zip(KINDS, numbers, strict=True)) for numbers in counts.tolist()]
        self._factors, self.n_structures = factors, n_structures

    def alike(self) -> LeastSquares:
        """Return an empty one with the same weights and ridge."""
        return LeastSquares(self._empty.shape[1] - 1, self.weights, self.regularisation, len(self._factors))

    def lean_on(self, prior: Leaning) -> None:
        """Have every fit, whatever fold it leaves out, come close to something; it counts in no error."""
        self._prior = prior

    def weighted_rows(self, folds: Sequence[int] | None = None) -> np.ndarray:
        """Stack all rows, or those of some folds, each with the weight of its kind."""
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
        """
        folds = [fold for fold in range(len(self._factors)) if fold != without]
        stacked = self.weighted_rows(folds)
        if self._prior is not None:
            known = [(self._prior.coefficients, fold) for fold in folds]
            worth = self._prior.worth((1e-3 * self._mean(known).forces) ** 2)
            worth *= sum(counts["forces"] for counts in self._counts) / max(self.n_structures, 1)  # of an average label
            stacked = np.vstack([stacked, np.sqrt(worth) * self._prior.rows])
        weight = sum(self._counts[fold]["forces"] for fold in folds)  # which all structures have
        columns = stacked[:, :-1]
        scale = np.sqrt((columns**2).sum(axis=0) / (weight or 1.0))
        scale[scale == 0] = 1.0
        ridge = np.zeros((columns.shape[1], columns.shape[1] + 1))
        np.fill_diagonal(ridge, np.sqrt(self.regularisation * weight))
        scaled = np.vstack([np.column_stack([columns / scale, stacked[:, -1]]), ridge])
        triangle = _compress(scaled)
        solution: np.ndarray = solve_triangular(triangle[:-1, :-1], triangle[:-1, -1]) / scale
        return solution

    def errors(self, coefficients: np.ndarray, fold: int | None = None) -> FitErrors:
        """Compute the errors of given coefficients on the structures of one fold, or of all."""
        folds = range(len(self._factors)) if fold is None else [fold]
        return self._mean([(coefficients, index) for index in folds])

    def cross_validate(self) -> CrossValidation | None:
        """Predict each fold from the others.

        Returns
        -------
        CrossValidation or None
            None while fewer than two folds hold structures.
        """
        filled = [fold for fold, counts in enumerate(self._counts) if counts["forces"]]
        if len(filled) < 2:
            return None
        solutions = {fold: self.solve(without=fold) for fold in filled}
        errors = self._mean([(coefficients, fold) for fold, coefficients in solutions.items()])
        return CrossValidation(errors=errors, solutions=solutions)

    def fold_forces(
        self, held_out: CrossValidation | None, besides: Sequence[tuple[int, Rows]] = ()
    ) -> tuple[float | None, ...]:
        """Return the cross-validated force error of each fold.

        Parameters
        ----------
        held_out
            The cross-validation; None gives None for every fold.
        besides
            Structures to leave out of the errors, not of the fits, with their numbers in order of `add`.

        Returns
        -------
        tuple of float or None
            meV/Å; None for a fold without structures.
        """
        solutions = held_out.solutions if held_out else {}
        found: list[float | None] = []
        for fold, (factors, counts) in enumerate(zip(self._factors, self._counts, strict=True)):
            left = [rows for number, rows in besides if number % len(self._factors) == fold]
            count = counts["forces"] - sum(rows.weight for rows in left)
            if count <= ROUNDING * counts["forces"] or fold not in solutions:
                found.append(None)
                continue
            squares = float(np.sum((factors["forces"] @ np.append(solutions[fold], -1.0)) ** 2))
            squares -= sum(residuals(solutions[fold], rows)["forces"] for rows in left)
            found.append(1e3 * float(np.sqrt(max(squares, 0.0) / count)))
        return tuple(found)

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
    """Compute the mean squares of one structure's residuals by kind, times its weight, in the labels' units squared."""
    vector = np.append(coefficients, -1.0)
    return {kind: float(np.sum((matrix @ vector) ** 2)) for kind, matrix in rows.matrices.items()}


def _compress(matrix: np.ndarray) -> np.ndarray:
    """Replace rows by the triangular factor with the same sums of squares, once it is shorter."""
    if matrix.shape[0] <= matrix.shape[1]:
        return matrix
    triangle: np.ndarray = qr(matrix, mode="economic", check_finite=False)[1]
    return triangle
