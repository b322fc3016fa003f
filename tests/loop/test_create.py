"""What `Campaign.create` does in a directory that contains a campaign already."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acemaker import Campaign
from acemaker.errors import CampaignExistsError, OracleError
from acemaker.loop.journal import read_events
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config


def create(directory: Path, *, exist_ok: bool = False, oracle: ToyOracle | None = None, **otf: object) -> Campaign:
    engine = ToyEngine(200, halting_at(60))
    return Campaign.create(directory, toy_config(**otf), exist_ok=exist_ok, engine=engine, oracle=oracle or ToyOracle())


def files(directory: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.rglob("*") if path.is_file()}


def test_a_second_create_is_an_error_that_names_the_calls_that_continue(tmp_path: Path) -> None:
    create(tmp_path / "c").run().close()
    before = files(tmp_path / "c")
    with pytest.raises(CampaignExistsError) as refused:
        create(tmp_path / "c")
    assert str(refused.value).splitlines() == [
        f"{tmp_path / 'c'} already contains a campaign",
        "continue it with Campaign.open(directory) or Campaign.create(..., exist_ok=True), or choose another directory",
    ]
    assert files(tmp_path / "c") == before


def test_differences_are_listed(tmp_path: Path) -> None:
    create(tmp_path / "c").run(1)
    before = files(tmp_path / "c")
    with pytest.raises(CampaignExistsError) as refused:
        create(tmp_path / "c", n_select=1, threshold_break=30.0)
    first, *differences, last = str(refused.value).splitlines()
    assert first == f"{tmp_path / 'c'} already contains a campaign, which differs in"
    assert len(differences) == 2
    assert re.search(r"n_select: \d+ -> 1$", "\n".join(differences), re.MULTILINE)
    assert last == "choose another directory, or continue the existing campaign: Campaign.open(directory)"
    assert files(tmp_path / "c") == before


def test_one_that_failed_before_its_first_label_is_replaced_only_with_exist_ok(tmp_path: Path) -> None:
    with create(tmp_path / "c", oracle=ToyOracle(failing=range(100))) as campaign, pytest.raises(OracleError):
        campaign.run()
    before = files(tmp_path / "c")
    with pytest.raises(CampaignExistsError, match=r"continue it with Campaign\.open\(directory\)"):
        create(tmp_path / "c")
    with pytest.raises(CampaignExistsError, match=r"n_select.*\nit failed before .*exist_ok=True\) replaces it"):
        create(tmp_path / "c", n_select=1)
    assert files(tmp_path / "c") == before
    with create(tmp_path / "c", exist_ok=True, n_select=1) as campaign:
        assert campaign.config.otf.n_select == 1
        assert campaign.run().state is State.DONE


def test_after_the_refusal_the_campaign_goes_on_where_it_is_open(tmp_path: Path) -> None:
    """In the object that has it, and, once that is closed, in another one."""
    campaign = create(tmp_path / "c")
    campaign.prepare()
    with pytest.raises(CampaignExistsError):
        create(tmp_path / "c")
    campaign.explore()
    campaign.close()
    with Campaign.open(tmp_path / "c", engine=ToyEngine(200, halting_at(60)), oracle=ToyOracle()) as again:
        assert again.run().state is State.DONE


def test_with_exist_ok_it_is_created_and_then_continued(tmp_path: Path) -> None:
    with create(tmp_path / "c", exist_ok=True) as campaign:
        campaign.run(3)
    with create(tmp_path / "c", exist_ok=True) as campaign:
        assert len(campaign.segments()) == 1
        assert campaign.run().state is State.DONE
    kinds = [event["event"] for event in read_events(tmp_path / "c" / "journal.jsonl")[0]]
    assert (kinds.count("created"), kinds.count("reopened")) == (1, 1)
