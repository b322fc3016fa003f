"""Assessments: the measured error of a run, its interval, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig, ConvergenceConfig
from acemaker.analysis import assess, evaluate_accuracy
from acemaker.analysis.assessment import Assessment
from acemaker.analysis.probe_errors import Probe
from acemaker.errors import ConfigError

RULE = ConvergenceConfig()


def probe(step: int, error: float, walker: int = 1, **changes: object) -> Probe:
    values = {
        "halt": step,
        "walker": walker,
        "step": step,
        "generation": 1,
        "force_error": error,
        "force": 1000.0,
        "energy_error": 0.1,
        "blocks": (error,) * 8,
    }
    return Probe(**{**values, **changes})  # type: ignore[arg-type]


def assessment(*probes: Probe, steps: tuple[int, ...] = (1000,), rule: ConvergenceConfig = RULE) -> Assessment:
    return Assessment(probes=probes, steps=steps, rule=rule, planned=2)


def test_each_probe_stands_for_the_time_around_it() -> None:
    """Probes at 500 and 1000 stand for three and one quarter of the run."""
    result = assessment(probe(500, 10.0), probe(1000, 20.0))
    assert result.force_error == pytest.approx(np.sqrt(0.75 * 100 + 0.25 * 400))
    assert assessment(probe(955, 7.0)).force_error == pytest.approx(7.0)


def test_walkers_have_equal_weights() -> None:
    two = assessment(probe(500, 10.0), probe(1000, 10.0), probe(100, 30.0, walker=2), steps=(1000, 200))
    assert two.force_error == pytest.approx(np.sqrt((100 + 900) / 2))


def test_no_probe_may_miss_the_target_behind_a_mean() -> None:
    """A phase with small forces, or a walker, whose errors are a third of its forces."""
    cold = assessment(probe(100, 50.0, force=150.0), probe(1800, 55.0, force=1500.0), steps=(2000,))
    assert cold.force_error is not None
    assert cold.target is not None
    assert cold.force_error < cold.target
    assert cold.met is False
    assert "but at step 100 it is 50 meV/Å, 33.3% of the forces" in cold.verdict
    walkers = assessment(probe(955, 30.0, force=100.0, walker=2), probe(955, 60.0, force=2000.0), steps=(1000, 1000))
    assert walkers.met is False
    assert "at step 955 of walker 2" in walkers.verdict


def test_a_frame_that_is_not_physical_does_not_meet_the_target() -> None:
    result = assessment(probe(500, 1.0), probe(1000, 1.0, physical_until=980))
    assert result.met is False
    assert "closer than physically possible although gamma was low" in result.verdict


def test_a_target_within_the_uncertainty_is_named() -> None:
    scattered = probe(1000, 48.0, blocks=(10.0, 90.0, 20.0, 80.0, 30.0, 40.0, 20.0, 30.0))
    assert "within the uncertainty of the measurement" in assessment(scattered).verdict
    assert "uncertainty" not in assessment(probe(1000, 20.0)).verdict


def test_what_was_not_measured_to_the_end_is_not_met() -> None:
    unfinished = replace(assessment(probe(505, 10.0)), is_complete=False, missing="the probe at 955 was not measured")
    assert unfinished.met is None
    assert unfinished.verdict.startswith("Target met so far: ")
    assert replace(unfinished, probes=(probe(505, 60.0),)).met is False


def test_walkers_without_a_probe_are_told() -> None:
    assert "on 1 frame of 1 of 3 walkers" in assessment(probe(955, 10.0), steps=(1000, 1000, 1000)).verdict


def test_errors_without_the_probe_replace_those_at_the_time() -> None:
    later: dict[str, Any] = {"left_out": 5.0, "left_out_blocks": (5.0,) * 8}
    assert assessment(probe(500, 50.0, **later), probe(1000, 40.0, **later)).force_error == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("target", "error", "met"),
    [
        (0.05, 49.9, True),
        (0.05, 50.1, False),
        (20.0, 19.9, True),
        (20.0, 20.1, False),
        (0.99, 980.0, True),
        (1.0, 1.1, False),
    ],
)
def test_the_target_is_a_share_below_one_and_an_error_from_one_on(target: float, error: float, met: bool) -> None:
    result = assessment(probe(1000, error), rule=ConvergenceConfig(target_force_error=target))
    assert result.met is met
    assert result.verdict.startswith("Target met: " if met else "Target not met: ")
    assert "meV/Å" in result.verdict.partition("the target is")[2]


@pytest.mark.parametrize("target", [0.0, -1.0, float("inf"), float("nan")])
def test_senseless_targets_are_refused(target: float) -> None:
    with pytest.raises(ConfigError, match="target_force_error"):
        ConvergenceConfig(target_force_error=target)


def test_an_error_that_is_no_number_does_not_meet_the_target() -> None:
    result = assessment(probe(1000, float("nan")))
    assert result.met is False
    assert result.interval is None


def test_the_remedy_depends_on_the_error_of_the_training_set() -> None:
    poor = assessment(probe(1000, 80.0))
    assert "More labels would help" in replace(poor, training_error=30.0).verdict
    assert "The basis limits the error" in replace(poor, training_error=70.0).verdict
    assert "More labels would help" in poor.verdict
    assert replace(assessment(probe(1000, 8.0)), training_error=8.0).remedy == ""


def test_the_interval_contains_the_true_error_as_often_as_it_says() -> None:
    """Blocks of forces with random errors of a known size: 95 % of the intervals contain it."""
    rng, inside = np.random.default_rng(3), 0
    for _ in range(400):
        blocks = [np.sqrt(np.mean(rng.normal(scale=10.0, size=(8, 40)) ** 2, axis=1)) for _ in range(2)]
        probes = [
            probe(step, float(np.sqrt(np.mean(block**2))), blocks=tuple(block))
            for step, block in zip((500, 1000), blocks, strict=True)
        ]
        interval = assessment(*probes).interval
        assert interval is not None
        inside += interval[0] <= 10.0 <= interval[1]
    assert 0.9 <= inside / 400 <= 0.99


def test_single_atoms_have_no_interval() -> None:
    result = assessment(probe(1000, 10.0, blocks=(10.0,)))
    assert result.interval is None
    assert "95 %" not in result.verdict


def test_text_table_and_figure_show_each_probe() -> None:
    later: dict[str, Any] = {"left_out": 5.5, "left_out_blocks": (5.0, 6.0)}
    result = assessment(probe(505, 50.0, **later), probe(955, 40.0, energy_error=None, **later))
    for text in (repr(result), result._repr_html_()):
        for part in ("505", "955", "5.5", "4.0%", "Target met", "latest potential without it / (meV/Å)"):
            assert part in text
    assert result.figure()._repr_png_().startswith(b"\x89PNG")
    assert assessment().figure()._repr_png_().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_run_without_a_halt_whose_forces_are_wrong_does_not_end_silently(tmp_path: Path) -> None:
    """Gamma is low along the whole run of tungsten: without probes, it ended with 2 labels, 0 halts and no word."""
    config = CampaignConfig.from_parameters(
        {
            "structure": "W",
            "supercell": (3, 3, 3),
            "temperature": (300, 3000),
            "steps": 600,
            "oracle": "lammps",
            "pair_style": "eam/alloy",
            "pair_coeff": ["* * W_zhou.eam.alloy W"],
            "target_force_error": 20.0,
            "n_functions": 60,
            "regularization": 1e-10,
        }
    )
    with Campaign.create(tmp_path / "c", config) as campaign:
        campaign.run()
        result, truth = assess(campaign), evaluate_accuracy(campaign).force_rmse_all
    assert result.met is False
    assert result.force_error == pytest.approx(truth, rel=0.5)
    assert result.force_error is not None
    assert result.force_error > 30
    assert "Target not met" in result.verdict
