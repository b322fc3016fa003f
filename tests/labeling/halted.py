"""Campaigns at a halt, labelled by a calculator that does as it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from acemaker import Campaign, CampaignConfig
from acemaker.results import Selection
from acemaker.states import State
from acemaker.structures.files import read_structures
from acemaker.testing import ToyEngine, halting_at, toy_config
from tests.labeling.told import ORDERS, mark
from tests.processes import start


def tell(folder: Path, **orders: str) -> None:
    """Say what to do with candidates of halt 1, by ``c3="hang"``."""
    file = folder / "c/candidates/halt_0001.extxyz"
    structures = read_structures(file) if file.is_file() else ()
    told = {mark(atoms): (str(number), orders.get(f"c{number}", "")) for number, atoms in enumerate(structures)}
    (folder / ORDERS).write_text(json.dumps(told))


def calls(folder: Path, word: str = "done") -> list[str]:
    """List the candidates of halt 1 with which something was done, in the order of that."""
    if not (folder / "calls").exists():
        return []
    lines = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return [line[1] for line in lines if line[0] == word and line[1] != "none"]


def config(folder: Path, labelling: dict[str, Any] | None = None, **otf: Any) -> CampaignConfig:
    made = toy_config(**{"n_select": 4, "max_retries": 1, **otf}).model_dump()
    made["oracle"] = {
        "oracle": "tests.labeling.told:Told",
        "oracle_arguments": {"folder": str(folder)},
        "scratch": str(folder / "scratch"),
    }
    made["labelling"] = labelling or {}
    return CampaignConfig(**made)


def create(folder: Path, labelling: dict[str, Any] | None = None, executor: Any = None, **otf: Any) -> Campaign:
    folder.mkdir(parents=True, exist_ok=True)
    tell(folder)
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(folder / "c", config(folder, labelling, **otf), engine=engine, executor=executor)


def at_halt(
    folder: Path, labelling: dict[str, Any] | None = None, executor: Any = None, **otf: Any
) -> tuple[Campaign, Selection]:
    """Make a campaign that has to label the candidates of its first halt."""
    campaign = create(folder, labelling, executor, **otf)
    campaign.prepare()
    while campaign.state is not State.LABEL:
        result = campaign.step()
    assert isinstance(result, Selection)
    tell(folder)
    return campaign, result


def reopen(folder: Path, executor: Any = None, **bounds: Any) -> Campaign:
    tell(folder)
    return Campaign.open(folder / "c", engine=ToyEngine(200, halting_at(100)), executor=executor, **bounds)


def driver(folder: Path, what: str = "run()") -> subprocess.Popen[str]:
    """Start another process that goes on with the campaign, whose orders stay as they are."""
    code = (
        "from acemaker import Campaign\nfrom acemaker.testing import ToyEngine, halting_at\n"
        "if __name__ == '__main__':\n"
        f"    campaign = Campaign.open({str(folder / 'c')!r}, engine=ToyEngine(200, halting_at(100)))\n"
        f"    print(campaign.{what})\n"
    )
    (folder / "driver.py").write_text(code)
    return start([sys.executable, str(folder / "driver.py")], stderr=subprocess.PIPE)


def journalled(folder: Path) -> list[int]:
    """List the labelled candidates of halt 1 in the order of the journal."""
    events = [json.loads(line) for line in (folder / "c/journal.jsonl").read_text().splitlines()]
    return [event["candidate"] for event in events if event["event"] == "label" and event["halt"] == 1]


def hung(folder: Path) -> list[int]:
    """List the grandchildren that were told to hang."""
    return [int(line) for line in (folder / "pids").read_text().split()] if (folder / "pids").exists() else []


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def nothing_is_left(folder: Path) -> bool:
    """No process that came of a label, and no folder of one."""
    left = list((folder / "scratch").iterdir()) if (folder / "scratch").is_dir() else []
    return not left and not any(running(pid) for pid in hung(folder))


def potentials(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "c/potentials").glob("*.yaml"))]
