"""Short distances in a campaign's results: report, summary, validation and figure; errors beside the forces."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from acemaker import Campaign
from acemaker.analysis import campaign_summary, read_validation, rounds_of, short_range_of, validate, write_summary
from acemaker.analysis.short_range import ShortRange
from acemaker.errors import StateError
from acemaker.formatting.summary import force_error
from acemaker.potentials.scans import Scan
from acemaker.testing import toy_campaign


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("short_range"))
        yield toy_campaign()


def test_the_search_is_the_one_after_the_fit(campaign: Campaign) -> None:
    generation = campaign.generation
    assert generation is not None
    short_range = campaign.short_range()
    assert short_range.holes == generation.holes == ()
    assert [scan.name for scan in short_range.scans] == ["Cu–Cu in vacuum", "Cu–Cu in the crystal", "compressed cell"]
    shortest = min(
        labeled.get_all_distances(mic=True)[np.triu_indices(len(labeled), 1)].min() for labeled in campaign.trained_on()
    )
    assert short_range.scans[0].trained == pytest.approx(shortest)
    assert short_range.scans[0].lengths.max() >= generation.cutoff
    assert short_range.scans[1].lengths[-1] == pytest.approx(0.5 * short_range.scans[1].lengths[0])


def test_results_name_the_holes_or_their_absence(campaign: Campaign) -> None:
    assert "no hole" in repr(campaign.generation)
    values = campaign_summary(campaign).values
    assert values["holes"] == []
    assert values["short_range"] == "no hole"
    assert "no hole" in repr(campaign_summary(campaign))
    assert "no hole" in repr(validate(campaign))
    stored = read_validation(campaign)
    assert stored is not None
    assert stored.holes == ()
    page = campaign.report().read_text()
    assert "Short distances" in page
    assert "none in 3 scans" in page


def test_there_is_nothing_to_scan_before_the_first_potential(campaign: Campaign, tmp_path: Path) -> None:
    from acemaker import CampaignConfig

    new = Campaign.create(tmp_path / "new", CampaignConfig.from_parameters({"structure": "Cu", "oracle": "emt"}))
    with pytest.raises(StateError, match=r"run campaign\.prepare\(\) first"):
        short_range_of(new)


def test_a_record_with_holes_shows_them_and_the_remedy() -> None:
    r = np.linspace(5.0, 1.2, 40)
    pair = Scan(
        kind="dimer",
        elements=("Mg", "Mg"),
        lengths=r,
        energies=4 * ((2.4 / r) ** 4 - (2.4 / r) ** 6),
        gamma=100 / r,
        shares=r / 2.4,
        trained=2.4,
    )
    s = np.linspace(1, 0.85, 16)
    cell = Scan(
        kind="compression",
        elements=(),
        lengths=s,
        energies=-40 * (s - 0.93) ** 2 + 0.2,
        gamma=20 + 0 * s,
        shares=s,
        trained=math.nan,
    )
    record = ShortRange(name="generation 3", scans=(pair, cell), remedy="more labels")
    assert [hole.kind for hole in record.holes] == ["dimer", "compression"], (
        "by barrier: there is none in front of the pair"
    )
    for text in (repr(record), record._repr_html_()):
        for part in ("2 holes", "Mg–Mg in vacuum", "compressed cell", "more labels", "or less"):
            assert part in text
    figure = record.figure()
    assert figure._repr_png_().startswith(b"\x89PNG")
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]  # type: ignore[attr-defined]
    assert ("distance / Å", "energy / eV") in labels
    assert ("lengths / lengths of the start", "energy / (eV/atom)") in labels
    assert sum("gamma" in label for pair_of in labels for label in pair_of) == 2


def test_errors_stand_beside_the_rms_of_the_forces(campaign: Campaign) -> None:
    generation = campaign.generation
    assert generation is not None
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in campaign.trained_on()])
    rms = 1e3 * float(np.sqrt(np.mean(forces**2)))
    assert generation.force_rms == pytest.approx(rms)
    share = f"({generation.cv_forces / rms:.1%} of the forces' rms)" if generation.cv_forces else "missing"
    last = rounds_of(campaign)[-1]
    accuracy = campaign.evaluate_accuracy(campaign.labeled_structures())
    known = campaign.generations()
    for text in (repr(generation), repr(last), repr(known[-1]), campaign.report().read_text()):
        assert share.replace("'", "&#x27;") in text or share in text
    assert "of the forces' rms)" in repr(known[1] - known[0])
    assert accuracy.force_rms == pytest.approx(rms)
    assert force_error(accuracy.force_rmse_all, rms) in repr(accuracy)
    write_summary(campaign, accuracy)
    values = json.loads((campaign.directory / "summary.json").read_text())
    assert values["force_rms_meV_per_A"] == pytest.approx(rms)


@pytest.mark.parametrize(
    ("error", "rms", "text"),
    [
        (5.3, 883.0, "5.3 meV/Å (0.6% of the forces' rms)"),
        (900.0, 300.0, "900 meV/Å (300% of the forces' rms)"),
        (5.3, 0.0, "5.3 meV/Å"),
        (5.3, float("nan"), "5.3 meV/Å"),
        (float("nan"), 1.0, "–"),
    ],
)
def test_an_error_is_formatted_with_its_share(error: float, rms: float, text: str) -> None:
    assert force_error(error, rms) == text
