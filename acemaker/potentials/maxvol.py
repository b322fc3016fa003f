"""MaxVol (Goreinov et al., 2010): rows of a matrix whose determinant no single swap of rows can increase."""

from __future__ import annotations

import contextlib

import numpy as np
from scipy.linalg import blas

from acemaker.potentials.pyace_library import load_pyace

TOLERANCE = 1.001
ITERATIONS = 10_000
SWAPS, ROUNDS = 50, 200
"""Number of swaps between two solutions from scratch, and maximum number of the latter."""

FEW, WORKING = 10_000, 10
"""Maximum number of rows for swaps among all rows; size of the working set of larger problems, in units of the number
of functions.

The cost of a swap is proportional to the number of rows, and the coefficients of all rows need as much memory as all
projections. Among very many environments most are combinations of few others: it is enough to consider the rest.
"""


def first_rows(matrix: np.ndarray) -> np.ndarray | None:
    """Choose rows without an initial choice.

    Parameters
    ----------
    matrix : ndarray, shape (n_rows, n_functions)
        Matrix with at least as many rows as functions.

    Returns
    -------
    ndarray of int, shape (n_functions,), or None
        None if the rows do not span the functions.
    """
    n_rows, size = matrix.shape
    if n_rows > max(FEW, 2 * WORKING * size):
        sample = np.linspace(0, n_rows - 1, WORKING * size).astype(int)
        chosen = _by_pyace(matrix[sample])
        if chosen is not None:
            return swap_rows(matrix, sample[chosen])
    chosen = _by_pyace(matrix)
    return None if chosen is None else swap_rows(matrix, chosen)


def swap_rows(matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Improve a choice of rows by the swaps of MaxVol, each of which increases the determinant.

    The MaxVol of pyace always starts from an LU factorization and may end with a smaller volume than that of the
    current rows.

    Parameters
    ----------
    matrix : ndarray, shape (n_rows, n_functions)
        All rows.
    chosen : ndarray of int, shape (n_functions,)
        Indices of rows with a nonzero determinant.

    Returns
    -------
    ndarray of int, shape (n_functions,)
        Indices of rows of which all others are linear combinations with absolute coefficients of at most 1.001.
    """
    n_rows, size = matrix.shape
    if n_rows <= max(FEW, 2 * WORKING * size):
        return _swap_among(matrix, chosen)[0]
    for _ in range(ROUNDS):
        grades = _grades(matrix, chosen)
        grades[chosen] = 0.0
        if grades.max() <= TOLERANCE:
            break
        # rows below the tolerance are included, since swaps may raise them above it
        working = np.concatenate([chosen, np.argsort(-grades, kind="stable")[: WORKING * size]])
        indices, swaps = _swap_among(matrix[working], np.arange(size))
        chosen = working[indices]
        if swaps == 0:  # above the tolerance only by rounding
            break
    return chosen


def swap_coefficients(coefficients: np.ndarray, chosen: np.ndarray, max_swaps: int = ITERATIONS) -> tuple[int, float]:
    """Swap rows until no coefficient exceeds the tolerance.

    Parameters
    ----------
    coefficients : ndarray, shape (n_rows, n_functions)
        Coefficients of each row as a combination of the chosen rows; overwritten if its columns are contiguous.
    chosen : ndarray of int, shape (n_functions,)
        Indices of the chosen rows; changed in place.
    max_swaps
        Maximum number of swaps.

    Returns
    -------
    swaps : int
        Number of swaps.
    growth : float
        Growth of ``ln |det|``.
    """
    growth, columns = 0.0, np.asfortranarray(coefficients)
    flat = columns.ravel(order="F")
    for swap in range(max_swaps):
        # a swap allocates no array of this size
        column, row = divmod(int(blas.idamax(flat)), len(columns))
        pivot = columns[row, column]
        if abs(pivot) <= TOLERANCE:
            return swap, growth
        change = columns[row].copy()
        change[column] -= 1.0
        blas.dger(-1.0 / pivot, columns[:, column].copy(), change, a=columns, overwrite_a=1)
        chosen[column] = row
        growth += float(np.log(abs(pivot)))
    return max_swaps, growth


def _swap_among(matrix: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, int]:
    """Swap until no coefficient is too large; return the choice and the number of swaps."""
    chosen, total = chosen.copy(), 0
    for _ in range(ROUNDS):
        # solved from scratch after some swaps, to remove their rounding errors
        coefficients = np.linalg.solve(matrix[chosen].T, matrix.T).T
        swaps, _ = swap_coefficients(coefficients, chosen, SWAPS)
        total += swaps
        if swaps == 0:
            break
    return chosen, total


def _grades(matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Compute the largest absolute coefficient of each row, in blocks of rows."""
    inverse, step = np.linalg.inv(matrix[chosen]), WORKING * matrix.shape[1]
    starts = range(0, len(matrix), step)
    return np.concatenate([np.abs(matrix[start : start + step] @ inverse).max(axis=1) for start in starts])


def _by_pyace(matrix: np.ndarray) -> np.ndarray | None:
    """Choose rows by the MaxVol of pyace; None if the matrix is singular."""
    load_pyace()
    from pyace.maxvol import maxvol

    chosen = None
    with contextlib.suppress(ValueError):  # raised for a singular matrix
        chosen = np.asarray(maxvol(np.ascontiguousarray(matrix), TOLERANCE, ITERATIONS)[0], dtype=int)
    if chosen is None or not np.isfinite(np.linalg.slogdet(matrix[chosen])[1]):
        return None
    return chosen
