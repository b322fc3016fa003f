"""The tables of a campaign, as pandas data frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import acemaker
from acemaker import Campaign
from acemaker.errors import ConfigError
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    directory = tmp_path_factory.mktemp("tables") / "c"
    with Campaign.create(
        directory, toy_config(), engine=ToyEngine(200, halting_at(60, 130)), oracle=ToyOracle()
    ) as campaign:
        yield campaign.run()


def test_segments(campaign: Campaign) -> None:
    table = campaign.to_dataframe("segments")
    segments = campaign.segments()
    assert list(table["segment"]) == [1, 2, 3]
    assert list(table["walker"]) == [1, 1, 1]
    assert list(table["generation"]) == [1, 2, 3]
    assert list(table["start_step"]) == [segment.start_step for segment in segments]
    assert list(table["end_step"]) == [segment.end_step for segment in segments]
    assert list(table["n_checks"]) == [len(segment.timeline.step) for segment in segments]
    assert list(table["gamma_max"]) == [segment.timeline.gamma_max.max() for segment in segments]
    assert list(table["halt"].dropna()) == [1, 2]
    assert list(table["tier"].dropna()) == ["smooth", "smooth"]
    assert table["safe_step"][0] == segments[0].halt.safe_step
    assert table["halt"].isna()[2]


def test_checks(campaign: Campaign) -> None:
    table = campaign.to_dataframe()
    assert list(table.columns[:5]) == ["segment", "walker", "generation", "step", "gamma_max"]
    for segment in campaign.segments():
        rows = table[table["segment"] == segment.number]
        assert list(rows["step"]) == list(segment.timeline.step)
        assert np.array_equal(rows["gamma_max"], segment.timeline.gamma_max)
        for name, values in segment.timeline.observables.items():
            assert np.array_equal(rows[name], values, equal_nan=True)
    assert table["temperature_K"].notna().all()


def test_labels(campaign: Campaign) -> None:
    table = campaign.to_dataframe("labels")
    structures = campaign.labeled_structures()
    assert len(table) == len(structures) == campaign.progress.n_labels
    assert list(table["halt"].isna()) == [entry.halt is None for entry in campaign.progress.labels]
    assert list(table["energy_eV"]) == [atoms.get_potential_energy() for atoms in structures]
    norms = [np.linalg.norm(atoms.get_forces(), axis=1).max() for atoms in structures]
    assert list(table["force_max_eV_per_A"]) == norms
    assert list(table["n_atoms"]) == [len(atoms) for atoms in structures]
    assert not table["shared"].any()
    for name in table["file"]:
        assert (campaign.directory / name).is_file()


def test_generations(campaign: Campaign) -> None:
    table = campaign.to_dataframe("generations")
    assert list(table["generation"]) == [1, 2, 3]
    assert list(table["n_labels"]) == sorted(table["n_labels"])
    assert table["n_labels"].iloc[-1] == len(campaign.labeled_structures())
    for name in table["file"]:
        assert (campaign.directory / name).is_file()
    errors = [campaign.known_generation(number).cv_forces for number in (1, 2, 3)]
    assert [None if np.isnan(value) else value for value in table["force_error_meV_per_A"].astype(float)] == errors


def test_another_name_is_an_error(campaign: Campaign) -> None:
    expected = r"expected one of 'segments', 'checks', 'labels', 'generations', got 'halts'"
    with pytest.raises(ConfigError, match=expected):
        campaign.to_dataframe("halts")


def test_an_attached_campaign_has_the_same_tables(campaign: Campaign) -> None:
    attached = acemaker.attach(campaign.directory)
    for table in ("segments", "checks", "labels", "generations"):
        assert attached.to_dataframe(table).equals(campaign.to_dataframe(table))


def test_before_anything_is_done_all_tables_are_empty(tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "c", toy_config(), engine=ToyEngine(), oracle=ToyOracle()) as campaign:
        for table in ("segments", "checks", "labels", "generations"):
            assert campaign.to_dataframe(table).empty
