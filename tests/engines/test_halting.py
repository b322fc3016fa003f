import math

import pytest

from acemaker.config import OTFConfig
from acemaker.engines.halting import HaltDecision, HaltMonitor


def fold(rule: OTFConfig, gammas: list[float]) -> HaltDecision | None:
    monitor = HaltMonitor(rule)
    for index, gamma in enumerate(gammas):
        decision = monitor.update(5 * index, gamma)
        if decision is not None:
            return decision
    return None


RULE = OTFConfig()


def test_a_lone_spike_does_not_halt() -> None:
    assert fold(RULE, [1, 6, 1, 6, 6, 1, 19.9, 1]) is None


def test_three_in_a_row_halt_at_the_third() -> None:
    assert fold(RULE, [1, 6, 1, 6, 7, 8, 9]) == HaltDecision(step=25, first_step=15, tier="smooth")


def test_the_break_tier_halts_at_once() -> None:
    assert fold(RULE, [1, 20.1]) == HaltDecision(step=5, first_step=5, tier="break")
    assert fold(RULE, [6, 25]) == HaltDecision(step=5, first_step=0, tier="break")


def test_a_threshold_itself_is_not_above() -> None:
    assert fold(RULE, [5.0] * 10) is None
    assert fold(RULE, [20.0, 1.0]) is None


@pytest.mark.parametrize("gamma", [float("nan"), float("inf")])
def test_what_is_not_a_number_breaks(gamma: float) -> None:
    decision = fold(RULE, [1, gamma])
    assert decision is not None
    assert decision.tier == "break"


def test_the_specifications_case() -> None:
    rule = OTFConfig(threshold_add_train=0.02, threshold_call_dft=0.05, threshold_break=1.0, smooth_steps=3)
    assert fold(rule, [0.1, 0.01, 0.01]) is None
    assert fold(rule, [0.06, 0.07, 0.08]) == HaltDecision(step=10, first_step=0, tier="smooth")


def test_smooth_steps_of_one_halts_at_the_first() -> None:
    assert fold(OTFConfig(smooth_steps=1), [1, 6]) == HaltDecision(step=5, first_step=5, tier="smooth")


def measured(values: list[float], gammas: list[float] | None = None, **more: int) -> HaltDecision | None:
    """The first decision of a monitor with a tolerance of 100, at checks every 5 steps."""
    monitor = HaltMonitor(OTFConfig(), tolerance=100.0, **more)
    for index, value in enumerate(values):
        gamma = 0.5 if gammas is None else gammas[index]
        if (decision := monitor.update(5 * index, gamma, value)) is not None:
            return decision
    return None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([101, 99, 101, 99], None),
        ([50, 101, 102, 50], HaltDecision(step=10, first_step=5, tier="uncertainty")),
        ([101, math.nan, math.nan, 102], HaltDecision(step=15, first_step=0, tier="uncertainty")),
        ([50, 401], HaltDecision(step=5, first_step=5, tier="uncertainty")),
        ([120, 401], HaltDecision(step=5, first_step=0, tier="uncertainty")),
        ([100, 100, 100], None),
        ([math.inf], HaltDecision(step=0, first_step=0, tier="uncertainty")),
        ([math.nan] * 9, None),
    ],
)
def test_another_measure_halts_at_two_evaluations_in_a_row(values: list[float], expected: HaltDecision | None) -> None:
    """Checks at which it was not evaluated do not count; one evaluation far beyond the tolerance is enough."""
    assert measured(values) == expected


def test_gamma_has_precedence_over_another_measure() -> None:
    """The run resumes before the exceedance of either."""
    assert measured([101, 102], [0.5, 21]) == HaltDecision(step=5, first_step=0, tier="break")


def test_another_measure_has_precedence_over_a_probe() -> None:
    """A probe must be a structure that was chosen beforehand, and not one at which the run would have halted."""
    monitor = HaltMonitor(OTFConfig(), probe_step=10, tolerance=100.0)
    assert monitor.update(0, 0.5, 50) is None
    assert monitor.update(5, 0.5, 101) is None
    assert monitor.update(10, 0.5, 102) == HaltDecision(step=10, first_step=5, tier="uncertainty")


def test_the_exceedance_of_either_measure_decides_about_safe_states() -> None:
    monitor = HaltMonitor(OTFConfig(), tolerance=100.0)
    monitor.update(0, 0.5, 101)
    assert monitor.first_step == 0
    monitor.update(5, 6.0, math.nan)
    assert monitor.first_step == 0
    monitor.update(10, 6.0, 50)
    assert monitor.first_step == 5
    monitor.update(15, 0.5, math.nan)
    assert monitor.first_step is None


def test_a_halt_is_decided_where_the_measure_was_evaluated() -> None:
    """Also if earlier checks were above a tolerance that has become smaller since then."""
    monitor = HaltMonitor(OTFConfig(), tolerance=100.0)
    assert [monitor.update(step, 0.5, value) for step, value in ((0, 101), (15, 50), (30, 101))] == [None] * 3
    assert monitor.update(35, 0.5, math.nan) is None
    assert monitor.update(45, 0.5, 101) == HaltDecision(step=45, first_step=30, tier="uncertainty")


def test_unknown_is_above_an_infinite_tolerance() -> None:
    assert HaltMonitor(OTFConfig()).update(5, 0.5, math.inf) == HaltDecision(step=5, first_step=5, tier="uncertainty")
