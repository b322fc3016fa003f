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
