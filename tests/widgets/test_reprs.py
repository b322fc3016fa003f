"""Text and HTML say the same, twice the same, and nothing foreign gets through unescaped."""

from __future__ import annotations

import html as html_module
import re
from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign, CampaignConfig
from acemaker.config.base import Section
from acemaker.formatting import html, text
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number, observable
from acemaker.formatting.text import MARKS
from acemaker.plotting import candidates_figure, parity_figure, structure_figure
from acemaker.results import Timeline
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.conftest import alloy


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    directory = tmp_path_factory.mktemp("reprs") / "c"
    campaign = Campaign.create(directory, toy_config(), engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle())
    results = list(campaign.steps())
    segment = campaign.segments()[0]
    assert segment.halt is not None
    seen = [*campaign.rounds(), campaign.generation, campaign.convergence()]
    return [*results, segment.halt, segment.timeline, campaign, *(one for one in seen if one is not None)]


@pytest.fixture(scope="module")
def displayed(records: list[Record]) -> list[Record | Section]:
    config = toy_config()
    return [*records, config, config.otf, config.oracle]


def words_of(content: str) -> list[str]:
    return re.findall(r"\S+", content)


def test_text_and_html_say_the_same(displayed: list[Record | Section]) -> None:
    for record in displayed:
        plain = html_module.unescape(re.sub(r"<[^>]+>", " ", record._repr_html_()))
        assert sorted(words_of(plain)) == sorted(words_of(repr(record)))


def test_two_displays_are_identical(displayed: list[Record | Section]) -> None:
    for record in displayed:
        assert repr(record) == repr(record)
        assert record._repr_html_() == record._repr_html_()


def test_html_has_no_scripts_no_ids_and_closes_its_tags(displayed: list[Record | Section]) -> None:
    for record in displayed:
        shown = record._repr_html_()
        assert not re.search(r"<script|\sid=|<style", shown)
        for tag in ("div", "table", "tr", "td", "th"):
            assert len(re.findall(rf"<{tag}[ >]", shown)) == shown.count(f"</{tag}>")


def test_no_repr_has_a_time_or_an_address(displayed: list[Record | Section]) -> None:
    for record in displayed:
        assert not re.search(r"0x[0-9a-f]{6,}|\d\d:\d\d|/tmp", repr(record))


def test_every_record_has_a_headline_of_one_line(records: list[Record]) -> None:
    for record in records:
        assert record.headline()
        assert "\n" not in record.headline()


def test_what_comes_from_outside_is_escaped() -> None:
    summary = Summary("<b>", (("<i>", "a & b"),), Table(("<h>",), (("<script>",),)), (("<s>", "now"),))
    shown = html.render(summary)
    for raw in ("<b>", "<i>", "<h>", "<script>", "<s>", " & "):
        assert raw not in shown
    assert "&lt;script&gt;" in shown


def test_text_lines_up() -> None:
    table = Table(("a", "long header"), (("12345", "1"), ("1", "22")))
    assert text.table_lines(table) == ["    a  long header", "12345            1", "    1           22"]
    summary = Summary("title", (("name", "1"), ("longer name", "2")), strip=(("EXPLORE", "done"), ("HALT", "now")))
    assert text.render(summary).splitlines() == [
        "title",
        f"  EXPLORE {MARKS['done']} → HALT {MARKS['now']}",
        "  name         1",
        "  longer name  2",
    ]


def test_numbers() -> None:
    assert (number(1.23456), number(float("nan")), number(12345.0), number(2e7)) == ("1.23", "–", "12345", "2e+07")
    assert observable("potential_energy_eV") == ("potential energy", "eV")
    assert observable("volume_A3") == ("volume", "Å³")
    assert observable("hop_count") == ("hop count", "")


def test_a_campaign_without_a_halt_ticks_only_what_it_did(tmp_path: Path) -> None:
    engine = ToyEngine(100, lambda step, generation: 0.5)
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=engine, oracle=ToyOracle()).run()
    assert "HALT ○" in repr(campaign)
    assert "EXPLORE ✓" in repr(campaign)
    assert "1, potentials/potential_v1.yace" in repr(campaign)


def test_generation_1_comes_before_the_first_round(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=ToyOracle())
    assert "✓" not in repr(campaign)
    assert "LABEL ●" in repr(campaign)
    assert (counted(1, "label"), counted(2, "label")) == ("1 label", "2 labels")


def test_records_are_frozen(records: list[Record]) -> None:
    with pytest.raises(AttributeError):
        records[2].number = 7  # type: ignore[attr-defined]
    (timeline,) = (record for record in records if isinstance(record, Timeline))
    with pytest.raises(ValueError, match="read-only"):
        timeline.gamma_max[0] = 1


def test_figures_are_png_and_identical_twice(records: list[Record]) -> None:
    drawn = 0
    for record in records:
        if hasattr(record, "figure"):
            first, second = record.figure()._repr_png_(), record.figure()._repr_png_()
            assert first.startswith(b"\x89PNG")
            assert first == second
            drawn += 1
    assert drawn >= 6


def test_every_axis_of_every_figure_has_a_label(records: list[Record]) -> None:
    for record in records:
        if hasattr(record, "figure"):
            axes = record.figure().axes
            assert any(axis.get_xlabel() for axis in axes)
            assert all(axis.get_ylabel() for axis in axes)


def test_a_triclinic_structure_and_a_cluster_are_drawn() -> None:
    atoms = alloy()
    gamma = np.geomspace(1e-3, 1e5, len(atoms))
    assert structure_figure(atoms, gamma, np.array([3]))._repr_png_()
    atoms.pbc = False
    atoms.cell = None
    assert structure_figure(atoms, gamma)._repr_png_()


def test_figures_are_public() -> None:
    assert callable(candidates_figure)
    assert callable(parity_figure)
    import acemaker.plotting

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(acemaker.plotting, "nothing")  # noqa: B009


def test_progress_is_the_same_in_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for name in ("one", "two"):
        engine = ToyEngine(200, halting_at(100))
        Campaign.create(tmp_path / name, toy_config(), engine=engine, oracle=ToyOracle()).run(progress=True)
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "Halt 1 at step 100: gamma 7 (smooth tier)" in shown[0]
    assert "step     180 of 200  gamma 0.8  temperature " in shown[0]
    assert "Generation 2: 4 labels" in shown[0]


def test_a_configuration_says_what_is_not_the_default() -> None:
    config = CampaignConfig.from_parameters({"oracle": "emt", "steps": 123})
    assert [line.split()[:3] for line in repr(config).splitlines()[3:]] == [
        ["steps", "123", "5000"],
        ["oracle", "'emt'", "'lammps'"],
    ]
    assert "MD steps of the whole trajectory" in repr(config)
    assert "smooth_steps" in repr(config.otf)
