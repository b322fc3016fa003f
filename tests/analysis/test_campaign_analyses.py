"""Rounds, generations, label costs, what-if and report of a campaign of the real LAMMPS and the real pyace."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.analysis.label_costs import expected_draws
from acemaker.analysis.rounds import gather_rounds
from acemaker.analysis.what_if import thresholds
from acemaker.engines.halting import HaltMonitor
from acemaker.errors import ConfigError
from acemaker.formatting.summary import number
from acemaker.loop.journal import read_events
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

CONFIG = CampaignConfig(
    seed=3,
    system={"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
    otf={"n_candidates": 6, "n_select": 2, "threshold_add_train": 1.5, "threshold_call_dft": 2.5, "n_probes": 0},
    engine={"steps": 800, "temperature": (300, 1500), "restart_every": 50},
    potential={"n_functions": 20, "cutoff": 4.5, "nradmax_by_orders": (8, 4, 2), "lmax_by_orders": (0, 3, 1)},
    oracle={"oracle": "lammps", "pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]},
)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    done = Campaign.create(tmp_path_factory.mktemp("analyses") / "c", CONFIG).run()
    assert done.progress.halt >= 2
    return done


def test_rounds_say_what_the_journal_says(campaign: Campaign) -> None:
    rounds = campaign.rounds()
    assert [one.halt for one in rounds] == [None, *range(1, campaign.progress.halt + 1)]
    assert sum(len(one.labels) for one in rounds) == len(campaign.labeled_structures())
    assert [one.step for one in rounds[1:]] == [halt["step"] for halt in campaign.progress.halts]
    assert sum(one.discarded_steps for one in rounds) == campaign.progress.discarded_steps
    assert rounds[-1].generation == campaign.progress.generation
    assert all(one.epicenter for one in rounds[1:])
    total = sum(one.wall.get("LABEL", 0.0) for one in rounds)
    assert total == pytest.approx(campaign.progress.wall["LABEL"])


def test_a_round_that_is_going_on(campaign: Campaign) -> None:
    events = read_events(campaign.directory / "journal.jsonl")[0]
    cut = next(n for n, event in enumerate(events) if event.get("state") == "GENERATE")
    last = gather_rounds(events[:cut])[-1]
    assert last.halt == 1
    assert last.generation is None
    assert last.n_candidates == 0


def test_generations_can_be_subtracted(campaign: Campaign) -> None:
    generations = campaign.generations()
    assert [one.n_structures for one in generations][-1] == len(campaign.labeled_structures())
    difference = generations[2] - generations[1]
    old, new = generations[1].n_structures, generations[2].n_structures
    assert old < new
    between = slice(old, new)
    # what it was trained on is known to it, and was not before
    assert (difference.gamma_later[:new] <= CONFIG.otf.threshold_add_train).all()
    assert difference.gamma_earlier[between].max() > CONFIG.otf.threshold_add_train
    rms = np.sqrt(np.mean(difference.error_later[between] ** 2))
    assert rms < np.sqrt(np.mean(difference.error_earlier[between] ** 2))
    # the files alone say the same
    calculator = generations[2].generation.calculator()
    atoms = campaign.labeled_structures()[0].copy()
    atoms.calc = calculator
    error = 1e3 * np.sqrt(np.mean((atoms.get_forces() - campaign.labeled_structures()[0].get_forces()) ** 2))
    assert difference.error_later[0] == pytest.approx(error, rel=1e-6)
    assert "new in between" in repr(difference)
    assert f"{old} → {new}" in difference._repr_html_()
    nothing = generations[1] - generations[1]
    assert nothing.forces.max() == 0
    with pytest.raises(TypeError):
        generations[1] - 1


def test_label_costs(campaign: Campaign) -> None:
    costs = campaign.label_costs()
    assert len(costs.paid) == len(campaign.labeled_structures())
    assert costs.costs.sum() == pytest.approx(len(campaign.labeled_structures()))  # all of the size that runs
    spacing, labels = costs.every_n
    halts = [halt["step"] for halt in campaign.progress.halts]
    stretches = [end - start for start, end in zip(halts, [*halts[1:], 800], strict=True) if end > start]
    assert spacing == min(stretches)
    assert labels == pytest.approx(800 / min(stretches))
    assert costs.at_random > len(halts)
    assert "without gamma, every N steps" in repr(costs)


def test_smaller_labels_cost_less_and_shared_ones_nothing(tmp_path: Path) -> None:
    config = CampaignConfig(
        **CONFIG.model_dump()
        | {
            "oracle": {**CONFIG.oracle.model_dump(), "label_store": str(tmp_path / "store")},
            "engine": {**CONFIG.engine.model_dump(), "steps": 100},
        }
    )
    for name, paid in (("one", True), ("two", False)):
        with Campaign.create(tmp_path / name, config) as campaign:
            campaign.prepare()
            costs = campaign.label_costs()
        assert costs.paid.all() == paid
        assert (costs.costs.sum() > 0) == paid


@pytest.mark.parametrize("chances", [[1.0], [0.5, 0.5], [0.2, 0.3, 0.5], [0.05, 0.1, 0.4]])
def test_expected_draws_against_drawing(chances: list[float]) -> None:
    rng = np.random.default_rng(1)
    edges = np.cumsum(chances)
    taken = []
    for _ in range(4000):
        missing, draws = set(range(len(chances))), 0
        while missing:
            draws += 1
            missing.discard(int(np.searchsorted(edges, rng.random(), side="right")))
        taken.append(draws)
    error = np.std(taken) / np.sqrt(len(taken))
    assert abs(expected_draws(chances) - np.mean(taken)) <= 5 * error + 1e-9


def test_what_if_the_rule_is_the_campaigns_own(campaign: Campaign) -> None:
    review = campaign.what_if()
    assert review.halts == campaign.progress.halt
    assert review.labels == pytest.approx(len(campaign.labeled_structures()))
    assert review.same_until == 800
    for segment, decision in zip(review.segments, review.decisions, strict=True):
        assert (decision.step if decision else None) == (segment.halt.step if segment.halt else None)


def test_what_if_the_rule_is_another(campaign: Campaign) -> None:
    first = campaign.segments()[0]
    assert first.halt is not None
    earlier = campaign.what_if(threshold_call_dft=1.2, smooth_steps=1)
    assert earlier.same_until < first.halt.step
    monitor = HaltMonitor(earlier.rule)
    steps = zip(first.timeline.step, first.timeline.gamma_max, strict=True)
    halted = [int(step) for step, gamma in steps if monitor.update(int(step), float(gamma)) is not None]
    assert earlier.decisions[0] is not None
    assert earlier.decisions[0].step == halted[0]
    never = campaign.what_if(threshold_call_dft=1e6)
    assert never.halts == 0
    assert never.labels == len(campaign.rounds()[0].labels)
    assert never.same_until == first.halt.step
    assert "–" in repr(never)
    with pytest.raises(ConfigError, match="expected some of threshold_call_dft"):
        campaign.what_if(threshold=3)


def test_what_if_under_a_lower_threshold_says_that_its_number_of_labels_is_a_lower_bound(campaign: Campaign) -> None:
    lower = campaign.what_if(threshold_call_dft=1.2, smooth_steps=1)
    assert lower.n_earlier > 0
    for form in (repr(lower), lower._repr_html_()):
        assert f"at least {lower.halts}, recorded" in form
        assert f"at least {number(lower.labels)}" in form
        assert "at most one halt is counted per segment" in form
    assert any("at least" in text.get_text() for text in lower.figure().axes[0].texts)  # type: ignore[attr-defined]
    row = repr(thresholds(campaign.what_if()))
    assert "at least" in row
    for other in (campaign.what_if(), campaign.what_if(threshold_call_dft=1e6)):  # nothing is cut off
        assert other.n_earlier == 0
        assert "at least" not in repr(other) and "labels" in repr(other)
        assert not other.figure().axes[0].texts  # type: ignore[attr-defined]


class Outside(HTMLParser):
    """Collects the external references of a page, and counts its images."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.images = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe")
        self.images += tag == "img"
        self.fetched += [
            value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("data:")
        ]
        if tag == "img":
            assert dict(attrs).get("alt")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_one_file_that_tells_all(campaign: Campaign) -> None:
    file = campaign.report()
    assert file == campaign.directory / "report.html"
    page = Outside()
    page.feed(file.read_text())
    assert page.fetched == []
    assert page.images >= campaign.progress.halt + 3
    text = " ".join(page.text)
    for one in campaign.rounds()[1:]:
        assert f"Halt {one.halt}, step {one.step}: gamma" in text
        assert f"Generation {one.generation} was accepted" in text
    for needed in ("python-ace", "Academic Software License", "GPL-2.0", "All settings", "without gamma"):
        assert needed in text
    assert json.loads(re.findall(r"<pre>(.*?)</pre>", file.read_text(), re.S)[0].replace("&quot;", '"')) == json.loads(
        campaign.config.model_dump_json()
    )
    assert campaign.report().read_text() == file.read_text()
    assert not list(campaign.directory.glob("*.part"))


def test_a_report_on_what_has_hardly_begun(tmp_path: Path) -> None:
    engine = ToyEngine(steps=200, gamma=halting_at(100))
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle())
    assert "Generation 1 was trained on 0 labels" not in campaign.report(file=tmp_path / "r.html").read_text()
    campaign.prepare()
    campaign.report()
    campaign.explore()
    assert "Halt 1, step 100" in campaign.report().read_text()
    assert not (tmp_path / "r.html.part").exists()


def test_figures_are_drawn(campaign: Campaign) -> None:
    generations = campaign.generations()
    for drawn in (campaign.label_costs(), campaign.what_if(threshold_call_dft=4.0), generations[-1] - generations[0]):
        picture: Any = drawn.figure()
        assert picture._repr_png_().startswith(b"\x89PNG")
        assert all(axis.get_xlabel() or axis.get_ylabel() for axis in picture.axes)
