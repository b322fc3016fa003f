from __future__ import annotations

import numpy as np
import pytest

from acemaker.potentials.linear import KINDS, LeastSquares, Rows, residuals

WEIGHTS = {"energy": 2.0, "forces": 1.0, "virial": 0.5}
N = 6


def structures(n: int, noise: float = 0.01, seed: int = 0) -> list[Rows]:
    rng = np.random.default_rng(seed)
    truth = np.arange(1, N + 1.0)
    made = []
    for _ in range(n):
        matrices = {}
        for kind, size in zip(KINDS, (1, 12, 6), strict=True):
            columns = rng.normal(size=(size, N)) * np.logspace(0, 3, N)
            labels = columns @ truth + noise * rng.normal(size=size)
            matrices[kind] = np.column_stack([columns, labels]) / np.sqrt(size)
        made.append(Rows(matrices=matrices))
    return made


def direct(rows: list[Rows], regularization: float) -> np.ndarray:
    stacked = np.vstack([WEIGHTS[kind] * row.matrices[kind] for row in rows for kind in KINDS])
    A, y = stacked[:, :-1], stacked[:, -1]
    scale = np.sqrt((A**2).sum(axis=0) / len(rows))
    ridge = np.sqrt(regularization * len(rows)) * np.eye(N)
    solution: np.ndarray = np.linalg.lstsq(np.vstack([A / scale, ridge]), np.concatenate([y, np.zeros(N)]), rcond=None)[
        0
    ]
    return solution / scale


def filled(rows: list[Rows], regularization: float = 1e-8, folds: int = 3) -> LeastSquares:
    fit = LeastSquares(N, WEIGHTS, regularization, folds)
    for row in rows:
        fit.add(row)
    return fit


@pytest.mark.parametrize("regularization", [1e-12, 1e-4, 1.0])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_growing_gives_the_fit_of_everything(n: int, regularization: float) -> None:
    rows = structures(n)
    assert filled(rows, regularization).solve() == pytest.approx(direct(rows, regularization), rel=1e-7)


def test_leaving_a_fold_out_is_fitting_the_others() -> None:
    rows = structures(9)
    without = [row for index, row in enumerate(rows) if index % 3 != 1]
    assert filled(rows).solve(without=1) == pytest.approx(direct(without, 1e-8), rel=1e-7)


def test_errors_are_root_mean_squares_of_the_residuals() -> None:
    rows = structures(5)
    fit = filled(rows)
    coefficients = fit.solve()
    errors = fit.errors(coefficients)
    for kind, value in zip(KINDS, (errors.energy, errors.forces, errors.virial), strict=True):
        squares = [residuals(coefficients, row)[kind] for row in rows]
        assert value == pytest.approx(1e3 * np.sqrt(np.mean(squares)), rel=1e-6)


def test_cross_validation_predicts_what_was_left_out() -> None:
    rows = structures(6)
    fit = filled(rows)
    held_out = fit.cross_validate()
    squares = []
    for fold in range(3):
        coefficients = direct([row for i, row in enumerate(rows) if i % 3 != fold], 1e-8)
        squares += [residuals(coefficients, row)["forces"] for row in rows[fold::3]]
    assert held_out is not None
    assert held_out.errors.forces == pytest.approx(1e3 * np.sqrt(np.mean(squares)), rel=1e-6)


def weighted(rows: list[Rows], weights: list[float]) -> list[Rows]:
    return [
        Rows(matrices={kind: np.sqrt(weight) * matrix for kind, matrix in row.matrices.items()}, weight=weight)
        for row, weight in zip(rows, weights, strict=True)
    ]


def test_a_structure_of_weight_three_counts_as_three() -> None:
    """In fit, errors and cross-validation; folds of one structure and its copies."""
    rows = structures(4)
    once, thrice = filled(weighted(rows, [1, 3, 1, 3]), 1e-3, folds=2), LeastSquares(N, WEIGHTS, 1e-3, 2)
    for fold in (0, 1):
        once_more = rows[fold::2]
        for row in [once_more[0]] * (3 if fold else 1) + [once_more[1]] * (3 if fold else 1):
            thrice.n_structures = fold
            thrice.add(row)
    assert once.solve() == pytest.approx(thrice.solve(), rel=1e-9)
    one, other = once.cross_validate(), thrice.cross_validate()
    assert one is not None
    assert other is not None
    assert one.errors.forces == pytest.approx(other.errors.forces, rel=1e-9)
    assert once.errors(once.solve()).energy == pytest.approx(thrice.errors(once.solve()).energy, rel=1e-9)


def test_weights_that_all_have_change_nothing() -> None:
    rows = structures(7)
    light, plain = filled(weighted(rows, [0.1] * 7), 1e-3), filled(rows, 1e-3)
    assert light.solve() == pytest.approx(plain.solve(), rel=1e-9)
    assert light.errors(plain.solve()).forces == pytest.approx(plain.errors(plain.solve()).forces, rel=1e-9)
    held_out = light.cross_validate()
    excluded = list(enumerate(weighted(rows, [0.1] * 7)))
    found = light.fold_forces(held_out, excluded[1:3])
    assert found == pytest.approx(plain.fold_forces(plain.cross_validate(), list(enumerate(rows))[1:3]), rel=1e-6)
    assert light.fold_forces(held_out, excluded) == (None, None, None)


def test_one_structure_has_no_cross_validation() -> None:
    assert filled(structures(1)).cross_validate() is None
    assert filled(structures(2)).cross_validate() is not None


def test_labels_without_stress() -> None:
    rows = [Rows(matrices={kind: row.matrices[kind] for kind in ("energy", "forces")}) for row in structures(4)]
    fit = filled(rows)
    assert np.isnan(fit.errors(fit.solve()).virial)
    assert np.isfinite(fit.solve()).all()


def test_a_column_of_zeros_gets_no_coefficient() -> None:
    rows = structures(4)
    for row in rows:
        for matrix in row.matrices.values():
            matrix[:, 2] = 0
    assert filled(rows).solve()[2] == 0


def test_memory_does_not_grow_with_the_labels() -> None:
    sizes = [sum(m.size for f in filled(structures(n))._factors for m in f.values()) for n in (40, 80)]
    assert sizes[0] == sizes[1]
