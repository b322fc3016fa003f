"""The ridge penalty that a linear fit chooses by leaving out blocks of atoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.errors import ConfigError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.generation import read_generation
from acemaker.potentials.linear import LeastSquares, Rows
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.ridge import DEFAULT, MOST_ROWS, PENALTIES, ForceBlock, Regularization, Ridge, held_out_errors
from tests.conftest import copper, rattled, small_basis

N = 12
WEIGHTS = {"energy": 2.0, "forces": 1.0, "virial": 0.5}


def structures(n: int, noise: float, seed: int = 0, spread: float = 6.0) -> list[Rows]:
    """Return labels of a linear model whose columns are nearly collinear: singular values over `spread` decades."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(np.random.default_rng(99).normal(size=(N, N)))[0]
    truth = rng.normal(size=N) * np.logspace(0, spread, N)  # each direction contributes alike
    rows = []
    for _ in range(n):
        directions = rng.normal(size=(24, N)) * np.logspace(0, -spread, N)
        labels = directions @ truth + noise * rng.normal(size=24)
        rows.append(Rows(matrices={"forces": np.column_stack([directions @ mixing, labels]) / np.sqrt(24)}))
    return rows


def fitted(rows: list[Rows], regularization: Regularization = "auto") -> LeastSquares:
    """Return a fit that leaves out blocks of three rows."""
    fit, blocks = LeastSquares(N, WEIGHTS, regularization, 5), []
    for row in rows:
        fit.add(row)
        forces = row.matrices["forces"]
        for part in np.split(forces, len(forces) // 3):
            blocks.append(ForceBlock(rows=part * np.sqrt(len(forces)), factor=1 / np.sqrt(len(forces))))
    fit.leave_out_blocks(lambda: blocks)
    return fit


def test_exact_labels_choose_a_small_penalty_and_the_fit_becomes_better() -> None:
    rows = structures(10, noise=0.0)
    chosen = fitted(rows)
    assert chosen.ridge.penalty < 1e-12
    unseen = fitted(structures(16, noise=0.0, seed=0)[10:])
    errors = [unseen.errors(fit.solve()).forces for fit in (chosen, fitted(rows, DEFAULT))]
    assert errors[0] < 0.1 * errors[1]


def test_labels_that_are_noise_choose_a_large_penalty() -> None:
    """They are best predicted by zero."""
    rng = np.random.default_rng(4)
    rows = [Rows(matrices={"forces": rng.normal(size=(3, N + 1))}) for _ in range(16)]
    assert fitted(rows).ridge.penalty == PENALTIES[-1]


@pytest.mark.parametrize("penalty", [1e-13, 1e-9, 1e-4])
def test_one_decomposition_gives_the_errors_of_fits_without_each_block(penalty: float) -> None:
    rows = structures(3, noise=0.05, spread=2.0)
    stacked = np.vstack([row.matrices["forces"] for row in rows])
    scale = np.sqrt((stacked[:, :-1] ** 2).sum(axis=0) / 3)
    stacked = stacked / np.append(scale, 1.0)
    parts = [np.arange(first, first + 3) for first in range(0, 72, 3)]
    blocks = [ForceBlock(rows=np.sqrt(24) * stacked[part], factor=1 / np.sqrt(24)) for part in parts]
    errors = held_out_errors(stacked, 3.0, blocks)[:, PENALTIES.index(penalty)]
    for part, error in zip(parts, errors, strict=True):
        others = np.delete(stacked, part, axis=0)
        ridge = np.column_stack([np.sqrt(3.0 * penalty) * np.eye(N), np.zeros(N)])
        augmented = np.vstack([others, ridge])
        solution = np.linalg.lstsq(augmented[:, :-1], augmented[:, -1], rcond=None)[0]
        residuals = np.sqrt(24) * (stacked[part] @ np.append(solution, -1.0))
        assert error == pytest.approx(1e3 * np.sqrt(np.mean(residuals**2)), rel=1e-3)
    assert fitted(rows).ridge.errors[PENALTIES.index(penalty)] == pytest.approx(
        np.exp(np.mean(np.log(errors))), rel=1e-3
    )


def test_the_default_remains_with_fewer_than_two_labels() -> None:
    rows = structures(2, noise=0.0)
    for n in range(2):
        ridge = fitted(rows[:n]).ridge
        assert ridge.penalty == DEFAULT
        assert not ridge.penalties
        assert "fewer than two labels" in str(ridge)
    assert fitted(rows).ridge.penalties == PENALTIES


def test_a_fit_without_blocks_uses_the_default() -> None:
    fit = LeastSquares(N, WEIGHTS, "auto", 5)
    for row in structures(6, noise=0.0):
        fit.add(row)
    assert fit.ridge.penalty == DEFAULT


def test_a_number_always_wins() -> None:
    rows = structures(10, noise=0.0)
    fit = fitted(rows, 1e-7)
    assert fit.ridge == Ridge(penalty=1e-7, reason="set by the configuration")
    assert not np.allclose(fit.solve(), fitted(rows).solve(), rtol=1e-3)


def test_among_equally_good_penalties_the_largest_is_chosen() -> None:
    rows = structures(10, noise=0.3, spread=0.5)
    ridge = fitted(rows).ridge
    assert np.ptp(ridge.errors) < 0.01 * min(ridge.errors)
    assert ridge.penalty == PENALTIES[-1]


def test_a_block_that_nothing_predicts_does_not_decide() -> None:
    """Its error is far larger than all others, and would decide a mean square."""
    rows = structures(10, noise=0.0)
    forces = rows[4].matrices["forces"].copy()
    forces[:3, -1] += 1e3
    strange = [*rows[:4], Rows(matrices={"forces": np.vstack([forces[3:], np.zeros((3, N + 1))])}), *rows[5:]]
    ridge = fitted(strange).ridge
    assert ridge.penalty < 1e-10


def test_every_change_of_the_problem_chooses_again() -> None:
    rows = structures(9, noise=0.05, spread=4.0)
    growing = fitted(rows)
    first = growing.ridge
    growing.add(rows[0])
    assert growing.ridge.errors != first.errors
    before = growing.ridge
    growing.leave_out(np.arange(N) < 6)
    assert growing.ridge.errors != before.errors
    restored = fitted(rows)
    restored.load_state(fitted(rows[:5]).state())
    assert restored.ridge.errors != fitted(rows).ridge.errors
    restored.load_state(fitted(rows).state())
    assert restored.ridge == fitted(rows).ridge, "to the last bit"


def test_rows_that_are_not_finite_choose_nothing() -> None:
    rows = structures(5, noise=0.1)
    rows[2].matrices["forces"][0, 0] = np.nan
    ridge = fitted(rows).ridge
    assert ridge.penalty == DEFAULT
    assert "could not be compared" in str(ridge)


def test_large_blocks_are_left_out_in_part() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2 * MOST_ROWS, N + 1))
    whole = held_out_errors(rows, 1.0, [ForceBlock(rows=rows, factor=1.0)])
    part = held_out_errors(rows, 1.0, [ForceBlock(rows=rows[:MOST_ROWS], factor=1.0)])
    assert np.array_equal(whole, part)


@pytest.mark.parametrize("value", [0, -1e-9, float("inf"), float("nan"), "evidence", None])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"PotentialConfig\.regularization"):
        PotentialConfig(regularization=value)


def test_generation_and_training_show_what_was_chosen(tmp_path: Path) -> None:
    oracle = CalculatorOracle.from_config(OracleConfig(oracle="emt"), ("Cu",))
    labels = [oracle.label(atoms) for atoms in rattled(copper(2), 5, seed=1)]
    chosen: tuple[tuple[str, int, Regularization], ...] = (
        ("few", 1, "auto"),
        ("chosen", 3, "auto"),
        ("number", 3, 1e-6),
    )
    for name, n, regularization in chosen:
        config = PotentialConfig(**{**small_basis(30, 5.0).model_dump(), "regularization": regularization})
        (tmp_path / name).mkdir()
        training = LinearTrainer(config, ["Cu"]).train(
            labels[:n], number=1, directory=tmp_path / name, predecessor=None, halted=None, gamma_limit=2.0
        )
        ridge = training.generation.ridge
        assert ridge is not None
        assert ("ridge penalty", str(ridge)) in training.summary().items
        assert ("ridge penalty", str(ridge)) in training.generation.summary().items
        assert read_generation(tmp_path / name, 1).ridge == ridge
        if name == "chosen":
            assert "leaving out 24 blocks of atoms" in str(ridge)
            assert len(ridge.errors) == len(PENALTIES)
        else:
            assert ridge.penalty == (DEFAULT if name == "few" else 1e-6)
