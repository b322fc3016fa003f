"""A campaign of very many labels: python benchmarks/journal.py [LABELS].

The events of one halt of a real campaign, with five labels, are written again and again, as 20,000 halts would have
written them. Prints how long it takes to open the campaign, and how much memory, beside one of a tenth of the size, to
show how both grow; and what one more event costs. Medians of three times; the processor's time beside that of the
clock tells what the machine's other work makes of it. Fails above 5 s and 500 MB for 100,000 labels.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from outcome import Outcome

from acemaker import Campaign
from acemaker.loop.journal import read_events, sealed
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

LABELS_A_HALT = 5
SECONDS, MEGABYTES = 5.0, 500.0

OPEN = """
import resource, sys, time
from acemaker import Campaign
from acemaker.loop import journal
from acemaker.testing import ToyEngine, ToyOracle
before, used = time.perf_counter(), time.process_time()
campaign = Campaign.open(sys.argv[1], engine=ToyEngine(), oracle=ToyOracle())
opened, used = time.perf_counter() - before, time.process_time() - used
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
assert len(campaign.progress.labels) == int(sys.argv[2])
before = time.perf_counter()
repr(campaign)
shown = time.perf_counter() - before
times = []
for number in range(50):
    before = time.perf_counter()
    campaign._journaled.append("note")
    times.append(time.perf_counter() - before)
print(opened, used, memory, shown, sorted(times)[25])
"""


def main() -> None:
    """Print the table, and fail beyond the bounds."""
    n_labels = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    outcome = Outcome("Opening a campaign of very many labels")
    outcome.table(
        {
            "labels": "d",
            "halts": "d",
            "journal / MB": ".1f",
            "open / s": ".2f",
            "processor / s": ".2f",
            "memory / MB": ".0f",
            "show / s": ".2f",
            "one event / ms": ".2f",
        }
    )
    for n in (n_labels // 10, n_labels):
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder) / "campaign"
            n_halts = n // LABELS_A_HALT
            write(directory, n_halts)
            size = (directory / "journal.jsonl").stat().st_size / 1e6
            command = [sys.executable, "-c", OPEN, str(directory), str(2 + n_halts * LABELS_A_HALT)]
            times = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True) for _ in range(3)]
        found = zip(*(map(float, done.stdout.split()) for done in times), strict=True)
        opened, used, memory, shown, event = map(statistics.median, found)
        outcome.row(n, n_halts, size, opened, used, memory, shown, 1e3 * event)
    outcome.at_most(f"a journal of {n_labels:,} labels opens", opened, SECONDS * n_labels / 1e5, "s")
    outcome.at_most("and takes", memory, MEGABYTES, "MB")
    outcome.finish()


def write(directory: Path, n_halts: int, walkers: int = 1) -> None:
    """Make a campaign with as many halts, in rounds of so many walkers, each of which halts once in every round."""
    config = toy_config(n_select=LABELS_A_HALT, n_candidates=15, max_otf_iterations=n_halts + 1)
    with Campaign.create(directory, config, engine=ToyEngine(200, halting_at(100)), oracle=ToyOracle()) as campaign:
        while campaign.progress.halt is None or campaign.state.value != "EXPLORE":
            campaign.step() if campaign.generation else campaign.prepare()
    journal = directory / "journal.jsonl"
    events = read_events(journal)[0]
    events[0]["walkers"] = walkers
    begin = next(place for place, event in enumerate(events) if event.get("state") == "EXPLORE")
    with journal.open("wb") as stream:
        for number, event in enumerate(chain(events[:begin], rounds(events[begin:], n_halts, walkers))):
            stream.write(sealed(json.dumps({**event, "n": number})))


def rounds(cycle: list[dict[str, Any]], n_halts: int, walkers: int) -> Iterator[dict[str, Any]]:
    """Yield the events of rounds in which all explore, and then all halts are healed."""
    text = json.dumps(cycle)
    for first in range(1, n_halts + 1, walkers):
        halts = range(first, first + walkers)
        made = [text.replace("halt_0001", f"halt_{halt:04}").replace("_0001/", f"_{halt:04}/") for halt in halts]
        for walker, (halt, (explored, *_)) in enumerate(zip(halts, map(json.loads, made), strict=True), start=1):
            following = "HALT" if walker == walkers else "EXPLORE"
            yield {**explored, "walker": walker, "next": following, "halt": {**explored["halt"], "number": halt}}
        for halt, healing in zip(halts, made, strict=True):
            *before, resumed = json.loads(healing)[1:]
            yield from before
            yield {**resumed, "next": "EXPLORE" if halt == halts[-1] else "HALT"}


if __name__ == "__main__":
    main()
