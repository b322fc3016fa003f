"""The posterior of linear coefficients, and predictions without some rows."""

from __future__ import annotations

import numpy as np
import pytest

from acemaker.potentials.linear import LeastSquares, Rows
from acemaker.potentials.posterior import Posterior

N = 6
WEIGHTS = {"energy": 2.0, "forces": 1.0, "virial": 0.5}


def structures(n: int, seed: int = 0, n_components: int = 12) -> list[Rows]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        columns = rng.normal(size=(n_components, N)) * np.logspace(0, 3, N)
        labels = columns @ np.arange(1, N + 1.0) + 0.01 * rng.normal(size=n_components)
        energy = np.append(columns[0], labels[0])[None]
        made.append(
            Rows(matrices={"energy": energy, "forces": np.column_stack([columns, labels]) / np.sqrt(n_components)})
        )
    return made


def filled(rows: list[Rows], regularization: float) -> LeastSquares:
    fit = LeastSquares(N, WEIGHTS, regularization, 3)
    for row in rows:
        fit.add(row)
    return fit


def stacked(rows: list[Rows]) -> np.ndarray:
    return np.vstack([WEIGHTS[kind] * matrix for row in rows for kind, matrix in row.matrices.items()])


@pytest.mark.parametrize("regularization", [1e-10, 1e-2])
@pytest.mark.parametrize("n_components", [3, 30], ids=["fewer rows than unknowns", "more rows"])
def test_leaving_out_rows_is_a_refit_without_them(regularization: float, n_components: int) -> None:
    rows = structures(5, n_components=n_components)
    fit = filled(rows, regularization)
    posterior, coefficients = fit.posterior(), fit.solve()
    everything = stacked(rows)
    precision = posterior.factor.T @ posterior.factor
    ridge = precision - everything[:, :-1].T @ everything[:, :-1]
    own = stacked(rows[2:3])
    others = stacked([*rows[:2], *rows[3:]])
    covariance = np.linalg.inv(others[:, :-1].T @ others[:, :-1] + ridge)
    refit = covariance @ others[:, :-1].T @ others[:, -1]
    residuals, variances = posterior.left_out(own, coefficients)
    assert residuals == pytest.approx(own[:, :-1] @ refit - own[:, -1], rel=1e-4, abs=1e-7)
    assert variances == pytest.approx(np.einsum("ij,jk,ik->i", own[:, :-1], covariance, own[:, :-1]), rel=1e-4)


def test_the_variance_of_a_force_is_that_of_the_coefficients_and_of_their_samples() -> None:
    fit = filled(structures(4), 1e-8)
    posterior = fit.posterior()
    covariance = np.linalg.inv(posterior.factor.T @ posterior.factor)
    forces = np.random.default_rng(1).normal(size=(9, N)) * np.logspace(0, 3, N)
    expected = np.einsum("ij,jk,ik->i", forces, covariance, forces).reshape(-1, 3).sum(axis=1)
    assert posterior.force_variances(forces) == pytest.approx(expected, rel=1e-6)
    drawn = posterior.samples(4000, seed=3) @ forces.T
    assert np.mean(drawn.reshape(4000, -1, 3) ** 2, axis=0).sum(axis=1) == pytest.approx(expected, rel=0.1)
    assert np.array_equal(posterior.samples(4, seed=7), posterior.samples(4, seed=7))
    assert not np.array_equal(posterior.samples(4, seed=7), posterior.samples(4, seed=8))


def test_nothing_is_known_about_functions_that_are_zero_in_all_labels() -> None:
    rows = structures(4)
    for row in rows:
        for matrix in row.matrices.values():
            matrix[:, 2] = 0.0
    fit = filled(rows, 1e-8)
    posterior = fit.posterior()
    forces = np.ones((6, N))
    forces[:3, 2] = 0.0
    variances = posterior.force_variances(forces)
    assert np.isfinite(variances[0])
    assert np.isinf(variances[1])
    samples = posterior.samples(4, seed=0) @ forces.T
    assert np.abs(samples[:, 3:]).max() > 100 * np.abs(samples[:, :3]).max()
    assert posterior.left_out(stacked(rows[:1]), fit.solve())[1].max() < 1


def test_functions_that_are_left_out_of_the_fit_contribute_nothing() -> None:
    fit = filled(structures(4), 1e-8)
    fit.leave_out(np.arange(N) == 1)
    posterior = fit.posterior()
    forces = np.zeros((3, N))
    forces[:, 1] = 1.0
    assert posterior.force_variances(forces).tolist() == [0.0]
    assert not posterior.samples(2, seed=0)[:, 1].any()
    assert isinstance(posterior, Posterior)
