"""The predicted force error of a linear potential: calibration, files, and what it is worth on copper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy import stats

from acemaker.errors import DamagedFileError, NoPredictionError
from acemaker.potentials import force_error
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.force_error import (
    FEWEST,
    MAX_LABELS,
    N_BLOCKS,
    RADIUS,
    ForceErrorModel,
    LatestLabels,
    blocks_of,
    calibration,
)
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.linear import LeastSquares, Rows
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.computed import forces_of
from tests.conftest import copper, small_basis
from tests.potentials.test_linear_trainer import labels

GROUPS = [labels(3, 0.1), labels(1, 0.2, 1), labels(2, 0.25, 2), labels(1, 0.22, 3)]


def trained(folder: Path, groups: list[list[Atoms]], trainer: LinearTrainer | None = None) -> Generation:
    trainer, generation = trainer or LinearTrainer(small_basis(), ["Cu"], folder), None
    for number, group in enumerate(groups, start=1):
        generation = trainer.train(
            group, number=number, directory=folder, predecessor=generation, halted=group[0], gamma_limit=float("inf")
        ).generation
    assert generation is not None
    return generation


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return trained(tmp_path_factory.mktemp("errors"), GROUPS)


def test_the_radius_is_the_95_percent_quantile_of_maxwells_distribution() -> None:
    assert pytest.approx(stats.maxwell.ppf(0.95) / np.sqrt(3), rel=1e-9) == RADIUS
    errors = np.random.default_rng(0).normal(size=(200_000, 3)) / np.sqrt(3)  # a norm of 1, root mean square
    assert np.mean(np.linalg.norm(errors, axis=1) < RADIUS) == pytest.approx(0.95, abs=0.003)


@pytest.mark.parametrize(("floor", "scale"), [(0.02, 0.0), (0.0, 0.3), (0.02, 0.3)])
def test_floor_and_scale_are_those_of_the_errors(floor: float, scale: float) -> None:
    rng = np.random.default_rng(4)
    pairs = []
    for size in np.geomspace(0.01, 1.0, 12):
        variances = size**2 * rng.uniform(0.5, 1.5, 300)
        sigma = np.sqrt(floor**2 + scale**2 * variances)
        pairs.append(((sigma[:, None] ** 2 / 3 * rng.normal(size=(300, 3)) ** 2).sum(axis=1), variances))
    fitted = calibration(pairs, widest=False)
    assert fitted[0] == pytest.approx(floor, rel=0.1, abs=0.001)
    assert fitted[1] == pytest.approx(scale, rel=0.1, abs=0.02)
    assert calibration(pairs, widest=True)[0] >= fitted[0] * 0.99


def test_labels_that_differ_widen_the_prediction() -> None:
    ones, squares = np.ones(50), np.full(50, 1e-4)
    alike = calibration([(squares, ones)] * 6, widest=True)
    different = calibration([(squares * factor, ones) for factor in (0.2, 0.4, 0.8, 1.0, 1.6, 2.0)], widest=True)
    assert np.hypot(*alike) == pytest.approx(0.01, rel=1e-3)
    assert np.hypot(*different) > 1.2 * np.hypot(*alike)


def test_blocks_are_equal_and_do_not_depend_on_the_image_of_an_atom() -> None:
    atoms = copper()
    block = blocks_of(atoms)
    assert np.bincount(block).tolist() == [len(atoms) // N_BLOCKS] * N_BLOCKS
    moved = labels(1, 0.2)[0]  # displaced: without ties
    moved.positions += np.random.default_rng(0).uniform(0.01, 0.02, 3)
    same = blocks_of(moved)
    moved.positions += moved.cell[0] - 2 * moved.cell[2]
    assert np.array_equal(blocks_of(moved), same)
    assert sorted(blocks_of(molecule("H2O"))) == [0, 1, 2]
    assert blocks_of(Atoms("H")).tolist() == [0]


def test_the_error_of_new_structures_is_inside_of_the_radius(generation: Generation) -> None:
    model, evaluator = generation.force_error_model(), evaluator_of(generation)
    assert model.n_labels == 7
    assert not model.blocks
    assert generation.error_floor == pytest.approx(1e3 * model.floor)
    errors, predicted, sampled, sizes = [], [], [], []
    for amplitude in (0.05, 0.15, 0.25):
        for atoms in labels(2, amplitude, seed=50):
            rows = evaluator.force_rows(atoms)
            errors.append(1e3 * np.linalg.norm(evaluator.structure(atoms).forces - forces_of(atoms), axis=1))
            predicted.append(model.exact(rows))
            sampled.append(model.sampled((model.samples @ rows.T).reshape(len(model.samples), -1, 3)))
            sizes.append(amplitude)
    inside = np.mean(np.concatenate(errors) < RADIUS * np.concatenate(predicted))
    assert 0.85 <= inside <= 1.0
    rms = [np.sqrt(np.mean(part**2)) for part in (np.concatenate(errors), np.concatenate(predicted))]
    assert 0.5 < rms[1] / rms[0] < 2.5
    assert np.mean(predicted[-1]) > 1.5 * np.mean(predicted[0]), "strongly displaced atoms are less certain"
    assert np.median(np.concatenate(sampled) / np.concatenate(predicted)) == pytest.approx(1.0, abs=0.25)


def test_force_rows_times_coefficients_are_the_forces(generation: Generation) -> None:
    atoms, evaluator = labels(1, 0.2, 9)[0], evaluator_of(generation)
    forces = evaluator.force_rows(atoms) @ generation.coefficients()
    assert forces.reshape(-1, 3) == pytest.approx(evaluator.structure(atoms).forces, abs=1e-9)


def test_fewer_than_four_labels_are_left_out_in_blocks(tmp_path: Path) -> None:
    model = trained(tmp_path, [labels(FEWEST - 1)]).force_error_model()
    assert model.blocks
    assert model.n_labels == FEWEST - 1
    assert model.floor + model.scale > 0


def test_the_forces_of_parts_are_summed_before_they_are_squared(generation: Generation) -> None:
    model = generation.force_error_model()
    first = np.random.default_rng(0).normal(size=(4, 5, 3))
    assert model.sampled(first - first) == pytest.approx(np.full(5, 1e3 * model.floor))


def test_a_reopened_trainer_writes_the_same_file(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "reopened")]
    for folder in folders:
        folder.mkdir()
    whole = trained(folders[0], GROUPS)
    before = trained(folders[1], GROUPS[:3])
    trainer = LinearTrainer(small_basis(), ["Cu"], folders[1])
    trainer.restore(GROUPS[:3], before)
    again = trainer.train(
        GROUPS[3], number=4, directory=folders[1], predecessor=before, halted=GROUPS[3][0], gamma_limit=float("inf")
    ).generation
    assert whole.error_file.read_bytes() == again.error_file.read_bytes()


def test_a_model_is_read_as_it_was_written(generation: Generation, tmp_path: Path) -> None:
    model = generation.force_error_model()
    model.save(tmp_path / "model.npz")
    read = ForceErrorModel.load(tmp_path / "model.npz")
    assert (read.floor, read.scale, read.n_labels, read.blocks) == (model.floor, model.scale, model.n_labels, False)
    assert np.array_equal(read.samples, model.samples)
    rows = evaluator_of(generation).force_rows(GROUPS[0][0])
    assert np.array_equal(read.exact(rows), model.exact(rows))


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    generation = trained(tmp_path, GROUPS[:1])
    content = generation.error_file.read_bytes()
    generation.error_file.write_bytes(content[:-40] + b"x" * 40)
    with pytest.raises(DamagedFileError, match=r"potential_v1\.error\.npz"):
        generation.force_error_model()
    with pytest.raises(DamagedFileError, match=r"potential_v1\.error\.npz"):
        read_generation(tmp_path, 1)
    generation.error_file.unlink()
    with pytest.raises(DamagedFileError, match=r"potential_v1\.error\.npz"):
        read_generation(tmp_path, 1)


def test_older_generations_and_other_trainers_predict_nothing(generation: Generation) -> None:
    older = replace(generation, error_floor=None)
    with pytest.raises(NoPredictionError, match=r"potential_v4 predicts no force errors: expected a generation of the"):
        older.force_error_model()


@pytest.mark.parametrize("n", [2, 5], ids=["blocks", "labels"])
def test_a_common_weight_of_all_labels_changes_nothing(n: int) -> None:
    rng, predicted = np.random.default_rng(6), []
    columns = [rng.normal(size=(24, 6)) for _ in range(n)]
    labels_of = [block @ np.arange(6.0) + 0.1 * rng.normal(size=24) for block in columns]
    structures = [Atoms("H8", rng.normal(size=(8, 3))) for _ in range(n)]
    forces = rng.normal(size=(9, 6))
    for weight, force_weight in ((1.0, 1.0), (4.0, 1.0), (1.0, 3.0)):
        fit = LeastSquares(6, {"energy": 1.0, "forces": force_weight, "virial": 1.0}, 1e-10, 3)
        latest = LatestLabels()
        for atoms, block, values in zip(structures, columns, labels_of, strict=True):
            matrix = np.sqrt(weight / 24) * np.column_stack([block, values])
            rows = Rows(matrices={"forces": matrix}, weight=weight)
            fit.add(rows)
            latest.add(atoms, rows, None)
        model = latest.calibrate(fit.posterior(), fit.solve(), fit.weights, seed=0)
        assert model is not None
        predicted.append(model.exact(forces))
    assert predicted[1] == pytest.approx(predicted[0], rel=1e-6)
    assert predicted[2] == pytest.approx(predicted[0], rel=1e-6)
    assert 100 < np.median(predicted) < 400  # meV/Å, of labels with errors of 173


def test_large_labels_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("MAX_BYTES", 5.5 * 8 * 3 * 2), ("MAX_WORK", 5.5 * 2**3)):
        with monkeypatch.context() as patched:
            patched.setattr(force_error, limit, value)
            latest = LatestLabels()
            for _ in range(9):
                latest.add(Atoms("H"), Rows(matrices={"forces": np.ones((3, 2))}), None)
            assert len(latest) == 5
            patched.setattr(force_error, limit, 0.0)
            latest.add(Atoms("H"), Rows(matrices={"forces": np.ones((3, 2))}), None)
            assert len(latest) == FEWEST


def test_the_number_of_stored_labels_is_bounded() -> None:
    latest = LatestLabels()
    for number in range(MAX_LABELS + 5):
        latest.add(Atoms("H"), Rows(matrices={"forces": np.full((3, 2), float(number))}), None)
    assert len(latest) == MAX_LABELS
    other = LatestLabels()
    other.load_state(latest.state())
    assert float(other.state()["latest 0 forces"][0, 0]) == 5.0
    assert len(other) == MAX_LABELS
