"""Predicted force errors of a campaign's potential."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import acemaker
from acemaker.analysis import ForceErrors, evaluate_accuracy, predict_force_errors
from acemaker.analysis.force_errors import N_FRAMES, evenly
from acemaker.campaign import Campaign
from acemaker.errors import ConfigError, NoPredictionError, StateError, StructureError
from acemaker.formatting.record import read_only
from acemaker.formatting.summary import number
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.force_error import RADIUS
from acemaker.structures.computed import forces_of
from acemaker.testing import toy_campaign, toy_config


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with toy_campaign(tmp_path_factory.mktemp("errors") / "c") as campaign:
        yield campaign


def errors_of(actual: list[float], predicted: list[float], gamma: list[float]) -> ForceErrors:
    return ForceErrors(
        generation=3,
        structure=read_only([0, 0, 1, 1]),
        predicted=read_only(predicted),
        gamma=read_only(gamma),
        actual=read_only(actual),
        floor=5.0,
        n_labels=6,
    )


def test_the_directory_alone_predicts_what_the_campaign_does(campaign: Campaign) -> None:
    frames = campaign.trajectory()[-3:]
    errors = predict_force_errors(campaign, frames)
    attached = predict_force_errors(acemaker.attach(campaign.directory), frames)
    assert np.array_equal(errors.predicted, attached.predicted)
    assert errors.predicted.shape == (sum(map(len, frames)),)
    assert errors.largest.shape == (3,)
    assert errors.largest[2] == errors.predicted[errors.structure == 2].max()
    assert (errors.predicted >= errors.floor * (1 - 1e-12)).all()
    assert errors.radius == pytest.approx(RADIUS * errors.predicted)
    assert np.isnan(errors.actual).all()
    text, html = repr(errors), errors._repr_html_()
    assert "meV/Å" in text
    assert "inside of the radius" not in text
    assert "Predicted force errors of generation 2" in html
    assert errors.figure()._repr_png_().startswith(b"\x89PNG")


def test_samples_estimate_the_same_errors(campaign: Campaign) -> None:
    frames = campaign.trajectory()[-3:]
    exact, sampled = (campaign.predict_force_errors(frames, sampled=flag).predicted for flag in (False, True))
    assert not np.array_equal(exact, sampled)
    assert 0.6 < np.median(sampled / exact) < 1.3
    assert np.array_equal(sampled, campaign.predict_force_errors(frames, sampled=True).predicted)


def test_samples_leave_the_forces_of_the_potential_as_they_are(campaign: Campaign) -> None:
    generation, atoms = campaign.generation, campaign.trajectory()[-1]
    assert generation is not None
    evaluator = evaluator_of(generation)
    before = evaluator.structure(atoms)
    predict_force_errors(generation, atoms, sampled=True)
    after = evaluator.structure(atoms)
    assert np.array_equal(before.forces, after.forces)
    assert evaluator.force_rows(atoms) @ generation.coefficients() == pytest.approx(before.forces.ravel(), abs=1e-9)


def test_without_structures_the_campaigns_own_run_is_predicted(campaign: Campaign) -> None:
    errors = predict_force_errors(campaign)
    frames = campaign.trajectory()
    assert len(errors.largest) == min(N_FRAMES, len(frames))
    last = predict_force_errors(campaign, frames[-1])
    assert errors.largest[-1] == pytest.approx(last.largest[0])
    assert len(evenly(frames, 5, len(frames[0]))) == 1
    assert [len(evenly(frames, n, 10**9)) for n in (1, 2, 3)] == [1, 2, 3]


def test_the_report_shows_the_predictions(campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = campaign.evaluate_accuracy(campaign.labeled_structures())
    page = campaign.report(accuracy, tmp_path / "report.html").read_text()
    assert "Predicted force errors along the campaign" in page
    assert "along an independent trajectory" in page
    first, halt = campaign.known_generation(1), campaign.last_halt()
    assert halt is not None
    at_halt = predict_force_errors(first, halt.structure, sampled=True).largest[0]
    assert f">{number(at_halt)}</td>" in page.replace(" ", "").replace('style="text-align:left"', "")
    generation = campaign.generation
    assert generation is not None
    monkeypatch.setattr(campaign, "_generation", dataclasses.replace(generation, error_floor=None))
    assert "Predicted force errors" not in campaign.report(file=tmp_path / "other.html").read_text()


def test_structures_with_forces_show_the_coverage(campaign: Campaign) -> None:
    labels = campaign.labeled_structures()
    generation = campaign.generation
    assert generation is not None
    errors = predict_force_errors(generation, labels)
    label = labels[0].copy()
    label.calc = generation.calculator()
    expected = 1e3 * np.linalg.norm(label.get_forces() - forces_of(labels[0]), axis=1)
    assert errors.actual[errors.structure == 0] == pytest.approx(expected, abs=1e-6)
    inside = np.mean(errors.actual <= errors.radius)
    assert errors.coverage.value == pytest.approx(inside)
    assert inside > 0.85
    assert "inside of the radius of 95 %" in repr(errors)
    assert errors.figure()._repr_png_().startswith(b"\x89PNG")


def test_masked_atoms_are_not_compared(campaign: Campaign) -> None:
    label = campaign.labeled_structures()[0].copy()
    forces = np.zeros((len(label), 3))
    label.arrays["mask"] = np.arange(len(label)) >= 5
    label.calc = SinglePointCalculator(label, energy=0.0, forces=forces)
    errors = predict_force_errors(campaign, label)
    assert np.isnan(errors.actual).sum() == 5
    assert errors.coverage.of == len(label) - 5


def test_misses_of_the_radius_and_of_gamma_are_counted_separately() -> None:
    errors = errors_of([10.0, 200.0, 150.0, np.nan], [20.0, 30.0, 90.0, 400.0], [1.0, 9.0, 1.0, 1.0])
    assert str(errors.misses(100.0)).startswith("1 of 2")  # the first has 48, the second 145
    assert str(errors.gamma_misses(100.0, 5.0)).startswith("1 of 2")
    assert errors.missed_structures(100.0, 5.0) == (2, 1, 1)
    assert errors.coverage.count == 1
    assert errors.coverage.of == 3


def test_what_the_labels_say_nothing_about_is_infinite(campaign: Campaign) -> None:
    atoms = campaign.trajectory()[-1].copy()
    far = Atoms([*atoms.symbols, "Cu"], [*atoms.positions, [0.0, 0.0, 100.0]], pbc=False)
    far.calc = None
    generation = campaign.generation
    assert generation is not None
    fitted = dataclasses.replace(generation, energies_from="fit", least_neighbors={"Cu": 12})
    errors = predict_force_errors(fitted, far)
    assert np.isinf(errors.predicted[-1])
    assert "inf meV/Å" in repr(errors)
    assert errors.figure()._repr_png_().startswith(b"\x89PNG")


def test_atoms_within_the_core_radius_are_unknown(campaign: Campaign) -> None:
    generation, atoms = campaign.generation, campaign.initial_structure().copy()
    assert generation is not None
    atoms.positions[1] = atoms.positions[0] + [1.2, 0.0, 0.0]
    for radius, expected in ((1.1, False), (1.3, True)):
        with_core = dataclasses.replace(generation, core_radii={"Cu-Cu": radius})
        for sampled in (False, True):
            errors = predict_force_errors(with_core, atoms, sampled=sampled)
            assert np.isinf(errors.predicted[:2]).all() == expected
            assert np.isfinite(errors.predicted[2:]).all()


def test_potentials_without_a_prediction_are_refused_by_type(campaign: Campaign, tmp_path: Path) -> None:
    generation, atoms = campaign.generation, campaign.initial_structure()
    assert generation is not None
    with pytest.raises(NoPredictionError, match="rely on gamma"):
        predict_force_errors(dataclasses.replace(generation, error_floor=None), atoms)
    with pytest.raises(ConfigError, match="at least one structure"):
        predict_force_errors(generation, [])
    with pytest.raises(StructureError, match="not for Xe"):
        predict_force_errors(generation, Atoms("Xe", cell=[9, 9, 9], pbc=True))
    with Campaign.create(tmp_path / "c", toy_config()) as new, pytest.raises(StateError, match="no potential"):
        predict_force_errors(new, atoms)


def test_the_accuracy_contains_the_prediction(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = evaluate_accuracy(campaign, campaign.labeled_structures(), tolerance=20.0)
    assert accuracy.predicted is not None
    wrong = accuracy.predicted.missed_structures(20.0, accuracy.threshold)[0]
    assert f"of {wrong}" in repr(accuracy)
    assert "predicted force error" in repr(accuracy)
    generation = campaign.generation
    assert generation is not None
    monkeypatch.setattr(campaign, "_generation", dataclasses.replace(generation, error_floor=None))
    without = evaluate_accuracy(campaign, campaign.labeled_structures())
    assert without.predicted is None
    assert "predicted force error" not in repr(without)
