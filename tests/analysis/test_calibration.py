"""Misses and false alarms against planted numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from acemaker.analysis import Accuracy, GammaCalibration, Liquid, calibrate_gamma
from acemaker.analysis.detection import curves, enough_wrong_atoms, rate, recommended_threshold
from acemaker.errors import ConfigError
from acemaker.formatting.record import read_only


def planted(n_structures: int = 10, miss_rate: float = 0.05) -> GammaCalibration:
    """40 wrong atoms with gamma 1, 2, ... 40, and 160 right ones with 0.1, 0.2, ... 16."""
    gamma = np.concatenate([np.arange(1, 41), np.arange(1, 161) / 10])
    error = np.concatenate([np.full(40, 150.0), np.full(160, 20.0)])
    return GammaCalibration(
        potential=1,
        generation=read_only(np.ones(200, dtype=int)),
        structure=read_only(np.arange(200) % n_structures),
        gamma=read_only(gamma),
        error=read_only(error),
        tolerance=100.0,
        threshold=5.0,
        miss_rate=miss_rate,
        source="planted",
    )


def test_what_was_planted_is_counted() -> None:
    calibration = planted()
    assert calibration.misses().count == 5  # gamma 1 to 5: an atom at the threshold does not halt
    assert calibration.misses().of == 40
    assert calibration.false_alarms().count == 110  # 5.1 to 16
    assert calibration.false_alarms().of == 160
    # 2 of 40 may be missed: the third has gamma 3 and must be seen
    level = calibration.recommend()
    assert level == 2.99
    assert calibration.misses(level).count == 2
    assert calibration.misses(3.0).count == 3
    assert calibration.false_alarms(level).count == 160 - 29
    assert "gamma does not separate wrong from right atoms here" in calibration.answer
    for text in ("5 of 40", "110 of 160", "2.99"):
        assert text in repr(calibration)
        assert text in calibration._repr_html_()
    assert calibration.figure()._repr_png_().startswith(b"\x89PNG")
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in calibration.figure().axes)  # type: ignore[attr-defined]


def test_the_answer_follows_from_the_numbers() -> None:
    assert planted(miss_rate=0.2).answer == "gamma detects the errors: a threshold of 5 misses at most 20%"
    sharp = planted()
    right = sharp.error < 100
    well = GammaCalibration(**{**vars(sharp), "gamma": np.where(right, sharp.gamma / 16, sharp.gamma + 2)})
    assert well.answer == "a threshold of 5 misses more than 5% of the errors; 4.99 would be low enough"


def test_too_few_wrong_atoms_are_said_to_be_too_few() -> None:
    calibration = planted(n_structures=4)
    assert calibration.recommend() is None  # 40 wrong atoms, but neighbors of each other
    assert "too few wrong atoms; there are 40 in 4 structures, at least 20 in 5 are needed" in repr(calibration)
    strict = planted(miss_rate=0.02)
    assert strict.recommend() is None
    assert "at least 50 in 5 are needed (the 50 largest errors are 20 meV/Å or more)" in strict.answer
    right = GammaCalibration(**{**vars(calibration), "tolerance": 1000.0})
    assert right.misses().of == 0
    assert "none" in repr(right)
    assert right.figure()._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("gamma", [0.012345, 7.0, 99.96, 1000.0, 123456.0])
def test_the_recommended_threshold_sees_what_it_must(gamma: float) -> None:
    several = np.array([gamma, 2 * gamma, 3 * gamma])
    level = recommended_threshold(several, np.ones(3, dtype=bool), 0.05)
    assert 0.989 * gamma < level < gamma
    assert recommended_threshold(np.zeros(3), np.ones(3, dtype=bool), 0.05) == 0


@pytest.mark.parametrize(("factor", "missed"), [(1e-3, "100%"), (0.05, "50%"), (0.3, "8%")])
def test_no_threshold_below_one_is_recommended(factor: float, missed: str) -> None:
    """Environments of the training set have a gamma of up to 1: no label would end the halts of a smaller threshold."""
    calibration = planted()
    inside = GammaCalibration(**{**vars(calibration), "gamma": factor * calibration.gamma})
    assert inside.recommend() == 1.0
    for text in (inside.answer, repr(inside), inside._repr_html_()):
        assert f"misses {missed} of them" in text
    assert "gamma does not detect the errors: a threshold of 1" in inside.answer
    assert "1, the smallest one: environments of the training set reach it" in repr(inside)


def test_intervals_of_independent_atoms_are_clopper_and_pearsons() -> None:
    hits = np.arange(60) < 6
    found = rate(hits, np.ones(60, dtype=bool), np.arange(60))
    low, high = binomtest(6, 60).proportion_ci()
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.03)
    none = rate(np.zeros(60, dtype=bool), np.ones(60, dtype=bool), np.arange(60))
    assert (none.low, none.high) == pytest.approx(tuple(binomtest(0, 60).proportion_ci()))
    every = rate(np.ones(60, dtype=bool), np.ones(60, dtype=bool), np.arange(60))
    assert (every.low, every.high) == pytest.approx(tuple(binomtest(60, 60).proportion_ci()))


def test_atoms_that_err_together_count_as_one() -> None:
    hits, clusters = np.arange(60) < 6, np.arange(60)
    alone = rate(hits, np.ones(60, dtype=bool), clusters)
    crowd = rate(np.repeat(hits, 20), np.ones(1200, dtype=bool), np.repeat(clusters, 20))
    assert crowd.count == 120
    assert (crowd.low, crowd.high) == pytest.approx((alone.low, alone.high), rel=0.01)
    # with no miss to go by, each structure is one draw
    none = rate(np.zeros(100, dtype=bool), np.ones(100, dtype=bool), np.repeat(np.arange(10), 10))
    assert none.high == pytest.approx(binomtest(0, 10).proportion_ci().high)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(40), 10)
    held = 0
    for _ in range(200):
        shares = rng.beta(1, 9, size=40)  # a tenth on average, but not in each structure
        found = rate(rng.random(400) < shares[clusters], np.ones(400, dtype=bool), clusters)
        held += found.low <= 0.1 <= found.high
    assert held >= 180


def test_curves_are_the_counts() -> None:
    calibration = planted()
    misses, alarms = curves(calibration.gamma, calibration.wrong, np.array([0.05, 2.99, 5.0, 40.0]))
    assert misses == pytest.approx([0, 2 / 40, 5 / 40, 1])
    assert alarms == pytest.approx([1, 131 / 160, 110 / 160, 0])
    assert np.isnan(curves(calibration.gamma, np.zeros(200, dtype=bool), np.ones(1))[0]).all()
    assert not enough_wrong_atoms(np.zeros(200, dtype=bool), calibration.structure, 0.05)


def test_an_accuracy_is_calibrated_as_it_is() -> None:
    calibration = planted()
    liquid = Liquid(displacement=1.0, coordination=12.0)
    along = Accuracy(
        generation=3,
        steps=np.arange(20),
        force_rmse=np.ones(20),
        energy_error=np.ones(20),
        gamma_max=np.ones(20),
        atom_gamma=calibration.gamma,
        atom_error=calibration.error,
        tolerance=100.0,
        threshold=5.0,
        campaign=liquid,
        reference=liquid,
        liquid_limit=1.0,
    )
    calibrated = calibrate_gamma(along)
    assert calibrated.misses().count == along.misses
    assert calibrated.structure.max() == 19
    assert "generation 3" in repr(calibrated)
    with pytest.raises(ConfigError, match="expected a tolerance above 0"):
        calibrate_gamma(along, miss_rate=1.0)
