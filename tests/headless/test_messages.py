"""Messages of `acemaker run` before and after a campaign, for toy campaigns without a kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acemaker import Campaign
from acemaker.errors import ConfigError, OracleError
from acemaker.headless.messages import CONTINUE, final_messages, initial_messages, retry_hint
from acemaker.headless.notebook import NotebookDescription, describe
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config
from tests.headless.test_check import write


def make(directory: Path, oracle: ToyOracle | None = None) -> Campaign:
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(directory, toy_config(), engine=engine, oracle=oracle or ToyOracle(), exist_ok=True)


@pytest.fixture
def notebook(tmp_path: Path) -> NotebookDescription:
    return describe(write(tmp_path / "n.ipynb", "seed: int = 1"))


def test_it_is_said_where_a_campaign_goes_on_and_what_came_of_it(tmp_path: Path) -> None:
    here = tmp_path / "c"
    assert initial_messages(None) == final_messages(None) == initial_messages(here) == final_messages(here) == []
    with make(here) as campaign:
        campaign.run(2)
        assert initial_messages(here) == [f"the campaign in {here} is at step 0 of 200, continuing"]
        campaign.run()
        assert initial_messages(here) == [f"the campaign in {here} is already at 200 of 200 steps"]
        assert initial_messages(here, 200) == initial_messages(here)
        given = f"the campaign in {here} is at step 200 of 200, extending it to 300 steps"
        assert initial_messages(here, 300) == [given]
    assert final_messages(here) == [
        f"the campaign in {here} is DONE: 200 of 200 steps, 1 halt, 4 labels",
        "the potential is generation 2, potentials/potential_v2.yace",
        "Accuracy not measured: n_probes is 0, so that no frame of the run tests the potential",
    ]
    assert (here / "potentials/potential_v2.yace").is_file()
    (here / "summary.json").write_text(json.dumps({"force_rmse_meV_per_A": 12.34}))
    told = final_messages(here)
    assert told[0].endswith("4 labels, force RMSE 12.3 meV/Å")
    assert told[3] == f"summary: {here / 'summary.json'}"
    (here / "journal.jsonl").write_text("torn")
    assert final_messages(here) == []


def test_only_a_campaign_that_would_go_on_is_continued(tmp_path: Path, notebook: NotebookDescription) -> None:
    here = tmp_path / "c"
    assert retry_hint(notebook, None, "ZeroDivisionError") == CONTINUE  # its directory is not known
    assert retry_hint(notebook, here, "ZeroDivisionError") == ""  # nothing is there
    assert retry_hint(describe(write(tmp_path / "plain.ipynb", "n = 1")), None, None) == ""
    with make(here, ToyOracle(failing=range(100))) as campaign, pytest.raises(OracleError):
        campaign.run()
    assert "no labels yet" in retry_hint(notebook, here, "OracleError")
    assert retry_hint(notebook, here, None) == CONTINUE
    with make(here) as campaign:
        campaign.label()
    for error in ("OracleError", "ZeroDivisionError", None):
        assert retry_hint(notebook, here, error) == CONTINUE
    assert retry_hint(notebook, here, ConfigError.__name__) == ""
