"""Runs that break again and again after one safe state, each time far too hot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.units import kB

from acemaker import Campaign
from acemaker.engines.protocol import Exploration, Request
from acemaker.errors import NoProgressError, RunawayError
from acemaker.loop.stall import repeated_breaks
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, toy_config


class Exploding(ToyEngine):
    """Breaks at step 15 whatever was trained, with atoms at `frame_temperature` K."""

    def __init__(self, frame_temperature: float) -> None:
        super().__init__(200, gamma=lambda step, _generation: 0.5 if step < 15 else 50.0)
        self.frame_temperature = frame_temperature

    def explore(self, request: Request) -> Exploration:
        outcome = super().explore(request)
        frames = [atoms.copy() for atoms in outcome.frames]
        for atoms in frames:
            momenta = np.random.default_rng(1).normal(size=(len(atoms), 3))
            energy = float((momenta**2 / atoms.get_masses()[:, None]).sum())
            atoms.set_momenta(momenta * np.sqrt((3 * len(atoms) - 3) * kB * self.frame_temperature / energy))
        return replace(outcome, frames=tuple(frames))


def run(directory: Path, monkeypatch: pytest.MonkeyPatch, temperature: float, **changes: Any) -> Campaign:
    """Run a campaign whose engine of the configuration is replaced."""
    monkeypatch.setattr("acemaker.loop.explore_work.make_engine", lambda *_: Exploding(temperature))
    if (directory / "journal.jsonl").exists():
        return Campaign.open(directory, oracle=ToyOracle(), **changes)
    return Campaign.create(directory, toy_config(), oracle=ToyOracle())


def test_the_third_hot_break_ends_the_campaign_before_its_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run(tmp_path / "c", monkeypatch, 9441.0) as campaign:
        with pytest.raises(RunawayError, match=r"broken 3 times after the safe state at step 0.*9441 K") as caught:
            campaign.run()
        assert campaign.state is State.FAILED
        assert {entry.halt for entry in campaign.progress.labels} == {None, 1, 2}
        assert (caught.value.step, caught.value.safe_step) == (15, 0)
        assert caught.value.value == pytest.approx(9441.0, rel=1e-4)
        n_labels = campaign.progress.n_labels
    with run(tmp_path / "c", monkeypatch, 9441.0) as campaign, pytest.raises(RunawayError):
        campaign.run()
    assert campaign.progress.n_labels == n_labels
    with run(tmp_path / "c", monkeypatch, 9441.0, check_course=False) as campaign:
        with pytest.raises(NoProgressError, match="5 consecutive halts"):
            campaign.run()
        assert campaign.progress.n_labels > n_labels


def test_breaks_at_a_usual_temperature_go_on_until_they_make_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run(tmp_path / "c", monkeypatch, 600.0) as campaign, pytest.raises(NoProgressError):
        campaign.run()


def segment(step: int, safe_step: int = 50, tier: str = "break", walker: int = 1) -> dict[str, Any]:
    return {"walker": walker, "halt": {"tier": tier, "step": step, "safe_step": safe_step}}


@pytest.mark.parametrize(
    ("segments", "steps"),
    [
        ([segment(60), segment(70), segment(65)], [65, 70, 60]),
        ([segment(60), segment(61, walker=2), segment(70)], [70, 60]),
        ([segment(60), segment(70, tier="smooth"), segment(65)], [60]),
        ([segment(60), segment(40, safe_step=30), segment(65)], [60]),
        ([segment(60), {"walker": 1, "halt": None}, segment(65)], [60]),
        ([segment(50), segment(60)], []),
        ([], []),
    ],
)
def test_breaks_after_one_safe_state_are_counted(segments: list[dict[str, Any]], steps: list[int]) -> None:
    assert repeated_breaks(segments, 1) == steps
