"""Campaigns at a halt, whose labels a calculator computes or refuses on order."""

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
    """Write the orders for candidates of halt 1, as in ``c3="hang"``."""
    file = folder / "c/candidates/halt_0001.extxyz"
    structures = read_structures(file) if file.is_file() else ()
    lines = {mark(atoms): (str(number), orders.get(f"c{number}", "")) for number, atoms in enumerate(structures)}
    (folder / ORDERS).write_text(json.dumps(lines))


def calls(folder: Path, word: str = "done") -> list[str]:
    """List the candidates of halt 1 whose calls have a state, in the order of these calls."""
    if not (folder / "calls").exists():
        return []
    lines = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return [line[1] for line in lines if line[0] == word and line[1] != "none"]


def config(folder: Path, labeling: dict[str, Any] | None = None, **otf: Any) -> CampaignConfig:
    settings = toy_config(**{"n_select": 4, "max_retries": 1, **otf}).model_dump()
    settings["oracle"] = {
        "oracle": "tests.labeling.told:Told",
        "oracle_arguments": {"folder": str(folder)},
        "scratch": str(folder / "scratch"),
    }
    settings["labeling"] = labeling or {}
    return CampaignConfig(**settings)


def create(folder: Path, labeling: dict[str, Any] | None = None, executor: Any = None, **otf: Any) -> Campaign:
    folder.mkdir(parents=True, exist_ok=True)
    tell(folder)
    engine = ToyEngine(200, halting_at(100))
    return Campaign.create(folder / "c", config(folder, labeling, **otf), engine=engine, executor=executor)


def at_halt(
    folder: Path, labeling: dict[str, Any] | None = None, executor: Any = None, **otf: Any
) -> tuple[Campaign, Selection]:
    """Create a campaign whose next step labels the candidates of its first halt."""
    campaign = create(folder, labeling, executor, **otf)
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
    """Start another process that continues the campaign; the orders stay as they are."""
    code = (
        "from acemaker import Campaign\nfrom acemaker.testing import ToyEngine, halting_at\n"
        "if __name__ == '__main__':\n"
        f"    campaign = Campaign.open({str(folder / 'c')!r}, engine=ToyEngine(200, halting_at(100)))\n"
        f"    print(campaign.{what})\n"
    )
    (folder / "driver.py").write_text(code)
    return start([sys.executable, str(folder / "driver.py")], stderr=subprocess.PIPE)


def journaled(folder: Path) -> list[int]:
    """List the labeled candidates of halt 1 in the order of the journal."""
    events = [json.loads(line) for line in (folder / "c/journal.jsonl").read_text().splitlines()]
    return [event["candidate"] for event in events if event["event"] == "label" and event["halt"] == 1]


def hung(folder: Path) -> list[int]:
    """List the grandchildren that hang on order."""
    return [int(line) for line in (folder / "pids").read_text().split()] if (folder / "pids").exists() else []


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def nothing_is_left(folder: Path) -> bool:
    """Return whether no process and no scratch folder of a label is left."""
    left = list((folder / "scratch").iterdir()) if (folder / "scratch").is_dir() else []
    return not left and not any(running(pid) for pid in hung(folder))


def potentials(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "c/potentials").glob("*.yaml"))]
