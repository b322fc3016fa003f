"""MaxVol (Goreinov et al., 2010): the rows of a matrix whose determinant is largest, up to single swaps."""

from __future__ import annotations

import contextlib

import numpy as np
from scipy.linalg import blas

from acemaker.potentials.pyace_library import load_pyace

TOLERANCE = 1.001
ITERATIONS = 10_000
SWAPS, ROUNDS = 50, 200
"""Swaps between two fresh solutions, and how many of these."""

FEW, WORKING = 10_000, 10
"""Rows that are swapped all at once; of more rows, how many are at a time, in units of the number of functions.

A swap costs as much as there are rows, and the coefficients of all rows take as much memory as all projections once
more. Of very many environments most are combinations of few: it is enough to look for those that are not.
"""


def first_rows(matrix: np.ndarray) -> np.ndarray | None:
    """Choose rows from nothing.

    Parameters
    ----------
    matrix : ndarray, shape (n_rows, n_functions)
        At least as many rows as functions.

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
    """Improve a choice of rows by MaxVol's swaps, each of which makes the determinant grow.

    pyace's own MaxVol always starts from an LU factorisation and may end in a smaller volume than that of
    the rows one has already.

    Parameters
    ----------
    matrix : ndarray, shape (n_rows, n_functions)
        All rows.
    chosen : ndarray of int, shape (n_functions,)
        A choice with a determinant other than zero.

    Returns
    -------
    ndarray of int, shape (n_functions,)
        Rows by which all others are combined with coefficients of at most 1.001.
    """
    n_rows, size = matrix.shape
    if n_rows <= max(FEW, 2 * WORKING * size):
        return _swap_among(matrix, chosen)[0]
    for _ in range(ROUNDS):
        grades = _grades(matrix, chosen)
        grades[chosen] = 0.0
        if grades.max() <= TOLERANCE:
            break
        # those below the tolerance, too: they are above it once others are chosen
        working = np.concatenate([chosen, np.argsort(-grades, kind="stable")[: WORKING * size]])
        places, swaps = _swap_among(matrix[working], np.arange(size))
        chosen = working[places]
        if swaps == 0:  # above the tolerance by rounding alone
            break
    return chosen


def swap_coefficients(coefficients: np.ndarray, chosen: np.ndarray, most: int = ITERATIONS) -> tuple[int, float]:
    """Swap rows.

    Parameters
    ----------
    coefficients : ndarray, shape (n_rows, n_functions)
        With which each row is a combination of the chosen ones; overwritten if its columns are contiguous.
    chosen : ndarray of int, shape (n_functions,)
        Which rows these are; changed in place.
    most
        Swaps at the most.

    Returns
    -------
    swaps : int
        How many there were.
    growth : float
        Of ``ln |det|``.
    """
    growth, columns = 0.0, np.asfortranarray(coefficients)
    flat = columns.ravel(order="F")
    for swap in range(most):
        # no array of this size is made by a swap
        place, row = divmod(int(blas.idamax(flat)), len(columns))
        pivot = columns[row, place]
        if abs(pivot) <= TOLERANCE:
            return swap, growth
        change = columns[row].copy()
        change[place] -= 1.0
        blas.dger(-1.0 / pivot, columns[:, place].copy(), change, a=columns, overwrite_a=1)
        chosen[place] = row
        growth += float(np.log(abs(pivot)))
    return most, growth


def _swap_among(matrix: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, int]:
    """Swap until no coefficient is too large; return the choice and the number of swaps."""
    chosen, total = chosen.copy(), 0
    for _ in range(ROUNDS):
        # solved anew from time to time, to be free of the swaps' rounding
        coefficients = np.linalg.solve(matrix[chosen].T, matrix.T).T
        swaps, _ = swap_coefficients(coefficients, chosen, SWAPS)
        total += swaps
        if swaps == 0:
            break
    return chosen, total


def _grades(matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Compute the largest coefficient of each row, some rows at a time."""
    inverse, step = np.linalg.inv(matrix[chosen]), WORKING * matrix.shape[1]
    starts = range(0, len(matrix), step)
    return np.concatenate([np.abs(matrix[at : at + step] @ inverse).max(axis=1) for at in starts])


def _by_pyace(matrix: np.ndarray) -> np.ndarray | None:
    """Choose rows by pyace's MaxVol, None if it finds none."""
    load_pyace()
    from pyace.maxvol import maxvol

    chosen = None
    with contextlib.suppress(ValueError):  # maxvol's word for a singular matrix
        chosen = np.asarray(maxvol(np.ascontiguousarray(matrix), TOLERANCE, ITERATIONS)[0], dtype=int)
    if chosen is None or not np.isfinite(np.linalg.slogdet(matrix[chosen])[1]):
        return None
    return chosen
