"""Halts without progress end a campaign, and its error interprets the labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.emt import EMT

import acemaker
from acemaker import Campaign, CampaignConfig
from acemaker.errors import ConfigError, FitRejectedError, NoProgressError
from acemaker.loop.stall import explain_stall, halts_without_progress
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

HERE = "tests.loop.test_stall"


class Faulty(EMT):
    """A user's calculator with a fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def calculate(self, *arguments: Any, **keywords: Any) -> None:
        super().calculate(*arguments, **keywords)
        forces, stress = self.results["forces"], self.results["stress"]
        if self.fault == "sign":
            self.results["forces"] = -forces
        elif self.fault == "stress in GPa":
            self.results["stress"] = stress * 160.2


def faulty(fault: str) -> BaseCalculator:
    return Faulty(fault)


def settings(fault: str, **parameters: Any) -> CampaignConfig:
    given = {"structure": "Cu", "supercell": (3, 3, 3), "temperature": (300, 3000), "steps": 1000, "n_functions": 40}
    given |= {"oracle": f"{HERE}:faulty", "oracle_arguments": {"fault": fault}, "label_process": "this"}
    # all fits are taken, as on a system of which less is known; the guard has its own tests
    given |= {"max_net_force": 10.0, "cv_tolerance": 1e6, "oracle_check": False, **parameters}
    return CampaignConfig.from_parameters(given)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("sign", "the forces have the wrong sign"),
        ("stress in GPa", "the stresses are not in eV/Å^3"),
    ],
)
def test_a_faulty_oracle_ends_the_campaign_before_the_next_label(tmp_path: Path, fault: str, words: str) -> None:
    """Real molecular dynamics: useless labels do not continue without end."""
    campaign = Campaign.create(tmp_path / "c", settings(fault))
    with pytest.raises(NoProgressError, match=re.escape(words)) as caught:
        campaign.run()
    assert campaign.state is State.FAILED
    halts = [halt["step"] for halt in campaign.progress.halts]
    assert len(halts) >= 5
    assert len({halt["safe_step"] for halt in campaign.progress.halts[-5:]}) == 1
    n = len(campaign.labeled_structures())
    assert n == len({entry.key for entry in campaign.progress.labels})
    assert not [entry for entry in campaign.progress.labels if entry.halt == len(halts)], "none for the last halt"
    assert f"with {n} labels so far" in str(caught.value)
    assert f"steps {', '.join(map(str, halts[-5:]))}, each from the safe state" in str(caught.value)
    assert "max_stalled_halts=10)" in str(caught.value)
    campaign.close()
    assert "made no progress" in repr(acemaker.attach(tmp_path / "c"))


def test_the_same_oracle_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for fault, words in (("sign", "forces have the wrong sign"), ("stress in GPa", "the stress is in GPa")):
        with pytest.raises(ConfigError, match=words):
            Campaign.create(tmp_path / "c", settings(fault, oracle_check=True))
    assert not (tmp_path / "c").exists()


def constant(gamma: float) -> ToyEngine:
    """Halt at the first checks, whatever was trained."""
    return ToyEngine(200, gamma=lambda _step, _generation: gamma)


def test_five_halts_in_a_row_and_no_more(tmp_path: Path) -> None:
    oracle = ToyOracle()
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=constant(7.0), oracle=oracle)
    with pytest.raises(
        NoProgressError, match=r"^5 consecutive halts made no progress: steps 10, 10, 10, 10, 10, each from"
    ):
        campaign.run()
    assert {entry.halt for entry in campaign.progress.labels} == {None, 1, 2, 3, 4}
    calls = oracle.calls
    campaign.close()
    again = Campaign.open(tmp_path / "c", engine=constant(7.0), oracle=oracle)
    with pytest.raises(NoProgressError, match=r"^5 consecutive halts"):
        again.run()
    again.close()
    assert oracle.calls == calls


def test_who_wants_more_of_them_says_so(tmp_path: Path) -> None:
    oracle = ToyOracle()
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=constant(7.0), oracle=oracle)
    with pytest.raises(NoProgressError):
        campaign.run()
    campaign.close()
    engine = ToyEngine(200, gamma=lambda step, generation: 7.0 if generation <= 6 else 0.5)
    with Campaign.open(tmp_path / "c", engine=engine, oracle=oracle, max_stalled_halts=10) as campaign:
        assert campaign.run().state is State.DONE


def test_a_threshold_that_nothing_can_reach_is_named(tmp_path: Path) -> None:
    config = toy_config(threshold_add_train=0.1, threshold_call_dft=0.5)
    campaign = Campaign.create(tmp_path / "c", config, engine=constant(0.8), oracle=ToyOracle())
    with pytest.raises((NoProgressError, FitRejectedError)) as caught:
        campaign.run()
    campaign.close()
    assert "threshold_add_train=0.1 is below 1, which gamma reaches" in str(caught.value)


def test_halts_that_get_further_are_no_stall(tmp_path: Path) -> None:
    """Eight halts, each beyond a checkpoint of its own."""
    steps = (20, 40, 60, 80, 100, 120, 140, 160)
    engine = ToyEngine(200, halting_at(*steps))
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle())
    assert campaign.run().state is State.DONE
    assert campaign.progress.halt == len(steps)
    campaign.close()


def events(*halts: tuple[int, int] | None, walker: int | None = None) -> list[dict[str, Any]]:
    named = {} if walker is None else {"walker": walker}
    return [
        {"halt": None if halt is None else {"step": halt[0], "safe_step": halt[1]}, **named} for halt in reversed(halts)
    ]


@pytest.mark.parametrize(
    ("halts", "expected"),
    [
        (((10, 0), (0, 0), (10, 0), (5, 0), (15, 0)), [10, 0, 10, 5, 15]),
        (
            ((10, 0), (0, 0), (10, 0), (25, 0), (50, 0)),
            [50],
        ),  # an adatom that is learned: it gets on within a checkpoint
        (((30, 0), (10, 0), (15, 0)), [30, 10, 15]),
        (((45, 0), (0, 0)) * 4, [45, 0] * 4),  # to and fro is no progress
        (((45, 0), (0, 0), (0, 0), (0, 0), (35, 0)), [45, 0, 0, 0, 35]),
        (((45, 0), (0, 0), (61, 0), (50, 0)), [61, 50]),
        (((100, 50), (100, 50), (130, 100), (110, 100)), [130, 110]),
        (((5, 0), (10, 0), (15, 0), (18, 0), (20, 0)), [20]),  # slowly, but on and on
        (((100, 50), None), []),
        ((), []),
    ],
)
def test_which_halts_count(halts: tuple[Any, ...], expected: list[int]) -> None:
    assert halts_without_progress(events(*halts), 1, 15) == expected


def test_each_walker_for_itself() -> None:
    first, second = events((10, 0), (90, 50), None, (99, 50), walker=1), events(*[(10, 0)] * 4, walker=2)
    mixed = [event for pair in zip(second, first, strict=True) for event in pair]
    assert halts_without_progress(mixed, 2, 15) == [10] * 4
    assert halts_without_progress(mixed, 1, 15) == [99]


def labeled(scale: float) -> list[Atoms]:
    oracle = ToyOracle()
    made = []
    for seed in range(3):
        atoms = Atoms("Cu4", [[0, 0, 0], [0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]], cell=[3.6] * 3, pbc=True)
        atoms.rattle(scale, seed=seed)
        made.append(oracle.label(atoms))
    return made


def test_forces_that_are_missing_are_named() -> None:
    made = labeled(0.05)
    for atoms in made:
        atoms.calc.results["forces"] = np.zeros((4, 3))
    assert "all forces of the labels are zero" in explain_stall(made, toy_config().otf, 3.0)


def test_the_error_says_what_is_seen() -> None:
    rule = toy_config().otf
    forces = 1e3 * float(np.sqrt(np.mean([atoms.get_forces() ** 2 for atoms in labeled(0.05)])))
    assert "is as large as the forces themselves" in explain_stall(labeled(0.05), rule, 0.8 * forces)
    said = explain_stall(labeled(0.05), rule, 0.05 * forces)
    assert said.startswith("No problem of the labels was detected. Check the sign and unit")
    low = rule.model_copy(update={"threshold_call_dft": 0.05})
    assert "threshold_call_dft=0.05 is below 1" in explain_stall(labeled(0.05), low, None)
