"""What `acemaker run` says of a campaign before and after it, on toy campaigns without a kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acemaker import Campaign
from acemaker.errors import ConfigError, OracleError
from acemaker.headless.messages import AGAIN, after, before, what_now
from acemaker.headless.notebook import Described, describe
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.headless.test_check import write


def make(directory: Path, oracle: ToyOracle | None = None) -> Campaign:
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(directory, toy_config(), engine=engine, oracle=oracle or ToyOracle())


@pytest.fixture
def notebook(tmp_path: Path) -> Described:
    return describe(write(tmp_path / "n.ipynb", "seed: int = 1"))


def test_it_is_said_where_a_campaign_goes_on_and_what_came_of_it(tmp_path: Path) -> None:
    here = tmp_path / "c"
    assert before(None) == after(None) == before(here) == after(here) == []
    with make(here) as campaign:
        campaign.run(2)
        assert before(here) == [f"the campaign in {here} has come to step 0 of 200, and goes on"]
        campaign.run()
        assert before(here) == [f"the campaign in {here} is already at 200 of 200 steps"]
        assert before(here, 200) == before(here)
        given = f"the campaign in {here} has come to step 200 of 200, and is given 300 steps"
        assert before(here, 300) == [given]
    assert after(here) == [
        f"the campaign in {here} is DONE: 200 of 200 steps, 1 halt, 4 labels",
        "the potential is generation 1, potentials/potential_v2.yace",
    ]
    assert (here / "potentials/potential_v2.yace").is_file()
    (here / "summary.json").write_text(json.dumps({"force_rmse_meV_per_A": 12.34}))
    told = after(here)
    assert told[0].endswith("4 labels, force RMSE 12.3 meV/Å")
    assert told[2] == f"the numbers are in {here / 'summary.json'}"
    (here / "journal.jsonl").write_text("torn")
    assert after(here) == []


def test_only_a_campaign_that_would_go_on_is_continued(tmp_path: Path, notebook: Described) -> None:
    here = tmp_path / "c"
    assert what_now(notebook, None, "ZeroDivisionError") == AGAIN  # its directory is not known
    assert what_now(notebook, here, "ZeroDivisionError") == ""  # nothing is there
    assert what_now(describe(write(tmp_path / "plain.ipynb", "n = 1")), None, None) == ""
    with make(here, ToyOracle(failing=range(100))) as campaign, pytest.raises(OracleError):
        campaign.run()
    assert "no label yet" in what_now(notebook, here, "OracleError")
    assert what_now(notebook, here, None) == AGAIN
    with make(here) as campaign:
        campaign.label()
    for error in ("OracleError", "ZeroDivisionError", None):
        assert what_now(notebook, here, error) == AGAIN
    assert what_now(notebook, here, ConfigError.__name__) == ""
