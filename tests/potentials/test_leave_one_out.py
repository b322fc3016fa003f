"""Errors of fits without one structure, from the fit with it."""

from __future__ import annotations

import numpy as np
import pytest

from acemaker.potentials.linear import KINDS, LeastSquares, Rows

WEIGHTS = {"energy": 2.0, "forces": 1.0, "virial": 0.5}


def structures(n: int, n_coefficients: int, rng: np.random.Generator) -> list[Rows]:
    rows = {"energy": 1, "forces": 30, "virial": 6}
    return [
        Rows(
            matrices={kind: rng.normal(size=(rows[kind], n_coefficients + 1)) / np.sqrt(rows[kind]) for kind in KINDS},
            weight=1.0,
        )
        for _ in range(n)
    ]


def fit(rows: list[Rows], n_coefficients: int) -> LeastSquares:
    squares = LeastSquares(n_coefficients, WEIGHTS, 1e-13, n_folds=3)
    for row in rows:
        squares.add(row)
    return squares


@pytest.mark.parametrize("left_out", [(), (2, 7)])
def test_they_are_those_of_refits(left_out: tuple[int, ...]) -> None:
    """To nine digits, for structures of every fold, also with functions that are not fitted."""
    rows, mask = structures(7, 12, np.random.default_rng(5)), np.zeros(12, dtype=bool)
    mask[list(left_out)] = True
    whole = fit(rows, 12)
    whole.leave_out(mask)
    for number, row in enumerate(rows):
        rest = fit(rows[:number] + rows[number + 1 :], 12)
        rest.leave_out(mask)
        expected = row.matrices["forces"] @ np.append(rest.solve(), -1.0)
        assert whole.left_out(row) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert not np.allclose(row.matrices["forces"] @ np.append(whole.solve(), -1.0), expected, rtol=0.01)
