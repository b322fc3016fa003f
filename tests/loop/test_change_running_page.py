"""The page "Change a running campaign": its examples run, and so do its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from ase.io import write

from acemaker import Campaign, CampaignConfig
from acemaker.campaign.attached import attach
from acemaker.cli import main
from acemaker.config.campaign import HALFWAY
from acemaker.states import State

PAGE = Path(__file__).parents[2] / "docs/how_to/change_running.md"

SETTINGS: dict[str, Any] = {
    "oracle": "emt",
    "structure": "Cu",
    "supercell": (2, 2, 2),
    "n_functions": 12,
    "cutoff": 4.0,
    "nradmax_by_orders": (6, 3, 2),
    "lmax_by_orders": (0, 2, 1),
    "n_first": 2,
    "steps": 200,
    "temperature": 1500,
    "threshold_add_train": 1.2,
    "threshold_call_dft": 1.5,
    "max_otf_iterations": 1000,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a campaign until its first halt has been learned from."""
    monkeypatch.chdir(tmp_path)
    with Campaign.create("runs/copper", CampaignConfig.from_parameters(SETTINGS)) as campaign:
        while campaign.state is not State.RESUME:
            campaign.step()
        atoms = campaign.initial_structure().copy()
        atoms.rattle(0.1, seed=1)
        write("more.extxyz", atoms)
    return tmp_path


def test_the_examples_run(folder: Path) -> None:
    names: dict[str, Any] = {"Campaign": Campaign}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, names)
    campaign = names["campaign"]
    assert campaign.state is State.DONE
    kinds = [change.kind for change in campaign.changes().changes]
    assert kinds == ["added", "removed", "restored", "relabeled", "settings", "settings", "relabeled"]
    assert campaign.outdated_labels() == ()
    campaign.close()


def test_the_commands_run(folder: Path) -> None:
    commands = re.findall(r"^    \.venv/bin/acemaker (.*)$", PAGE.read_text(), re.M)
    assert len(commands) == 6
    for command in commands:
        assert main(shlex.split(command)) == 0, command
    assert len(attach(folder / "runs/copper").changes().changes) == 5


def test_the_page_names_the_settings_that_can_change() -> None:
    page = PAGE.read_text()
    common = ("n_select", "n_candidates", "strategies", *HALFWAY["otf"][:7], *HALFWAY["engine"])
    assert [name for name in common if f"`{name}`" not in page] == []
