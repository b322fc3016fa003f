"""Changes by hand with SIGKILL at every journal line of them, and the same end as without."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.edits import BEGUN, SCRIPTS
from tests.soak.life import Nursery
from tests.soak.live import Moment
from tests.soak.soaked import check_labels
from tests.soak.worlds import ending

LINES = (*BEGUN, "refit", "relabeled")
"""Events of changes of labels."""

HOWS = (0.1, 0.5, 0.9)
"""Before a line is written, in the middle of it, and after it."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


def lines_of(folder: Path) -> list[int]:
    """Return the numbers of the journal's lines that record changes, and of the labels between them, from 1."""
    lines = []
    for number, line in enumerate((folder / "c/journal.jsonl").read_text().splitlines(), start=1):
        event = json.loads(line)
        if event["event"] in LINES or event.get("changes") or "addition" in event:
            lines.append(number)
    return lines


def live(nursery: Nursery, folder: Path, script: int, moment: Moment | None = None) -> str:
    fault = "killed at a journal line" if moment is not None else ""
    return nursery.finish(*nursery.start("toy", str(folder), fault, moment, False, script)).status


@pytest.mark.slow
@pytest.mark.parametrize("script", [1, 3, 5])
def test_killed_at_every_line_of_a_change(nursery: Nursery, tmp_path: Path, script: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert live(nursery, whole, script) == "done"
    expected, lines = ending(whole / "c"), lines_of(whole)
    assert len(lines) >= 2 * sum(edit.kind != "change" for edit in SCRIPTS[script])
    rng = random.Random(script)
    for line in lines:
        folder = tmp_path / f"{line}"
        folder.mkdir()
        moment = Moment(at=line, how=rng.choice(HOWS), directory=str(folder / "c"))
        assert live(nursery, folder, script, moment) == "killed"
        assert live(nursery, folder, script) == "done"
        assert ending(folder / "c") == expected, (line, moment.how)
        n_relabeled = sum(edit.kind == "relabel" for edit in SCRIPTS[script])
        assert check_labels(folder, n_relabeled) == []
