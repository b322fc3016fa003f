"""Campaigns under faults, and changed files: python benchmarks/soak.py [--campaigns 500] [--inputs 10000] [--seed N].

Each campaign is one of tests/soak/worlds.py under one fault of tests/soak, both drawn at random. Afterwards it has to
have come to the same end as without the fault, to the bit, or to have stopped with an error of acemaker's; every label
that its oracle was paid for has to be readable, none paid for twice, no process left over. Then files of each kind that
acemaker reads are changed at random and read. Prints a table by fault, and fails if anything was otherwise;
--campaign SEED soaks one campaign again, --fault and --world draw no other ones. --results FILE writes the table of
what was done as CSV, after Ctrl-C, too.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from outcome import Outcome

from tests.soak.fuzz import fuzz_apart
from tests.soak.life import Nursery
from tests.soak.soaked import FAULTS, Soak, Soaked

AT_ONCE = 500
"""Inputs that one process reads."""

Row = tuple[Any, ...]


def main() -> None:
    """Soak, print, and fail where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--campaign", type=int, help="soak this one alone, by the seed that was printed")
    parser.add_argument("--fault", default="", help="draw no other fault")
    parser.add_argument("--world", default="", help="draw no other campaign")
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    outcome = Outcome("Campaigns under faults, and changed files", seeds=(given.seed,))
    seeds = random.Random(given.seed)
    drawn = [given.campaign] if given.campaign is not None else [seeds.randrange(10**9) for _ in range(given.campaigns)]
    soaked: list[Soaked] = []
    with Nursery() as nursery, contextlib.suppress(KeyboardInterrupt):  # what was done until then is told
        soak = Soak(Path(tempfile.mkdtemp(prefix="soak-")), nursery)
        if impossible := set(FAULTS) - set(soak.faults):
            outcome.note(f"Left out, since mounts are forbidden here: {', '.join(impossible)}.")
        for number, seed in enumerate(drawn, start=1):
            begun = time.monotonic()
            soaked.append(soak.soak(seed, given.fault, given.world))
            print(f"{number:4d}  {time.monotonic() - begun:5.1f} s  {line_of(soaked[-1])}", flush=True)
    inputs, violations = fuzzed(given.seed, 0 if given.campaign is not None else given.inputs)
    rows = [*counted(soaked), *inputs]
    outcome.table(
        {"fault, or file": "s", "number": "d", "same end, or read": "d", "typed error": "d", "violation": "d"}
    )
    for row in rows:
        outcome.row(*row)
    if given.results:
        head = f"# python benchmarks/soak.py --campaigns {len(soaked)} --inputs {given.inputs} --seed {given.seed}"
        lines = [head, "fault or file,number,same end or read,typed error,violation"]
        lines += [",".join([f'"{name}"', *map(str, numbers)]) for name, *numbers in rows]
        given.results.write_text("\n".join(lines) + "\n")
    violations += [f"python benchmarks/soak.py --campaign {one.seed}" for one in soaked if one.outcome == "VIOLATION"]
    print("\n".join(violations))
    outcome.at_most("lost labels, other ends, hangs, left processes, untyped errors", len(violations), 0)
    outcome.finish()


def line_of(soaked: Soaked) -> str:
    """Say how a campaign went."""
    said = soaked.said if soaked.outcome == "VIOLATION" else f"{soaked.said:.160}"
    words = f"{soaked.seed:9d}  {soaked.world}: {soaked.fault} ({soaked.detail}): {soaked.outcome}"
    return ", ".join([words, *soaked.lives]) + (f": {said}" if said else "")


def counted(soaked: list[Soaked]) -> list[Row]:
    """Count outcomes by fault."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in soaked:
        counts[one.fault, one.outcome] += 1
    return _rows(counts, ("same end", "typed error", "VIOLATION"), "all campaigns")


def fuzzed(seed: int, n: int) -> tuple[list[Row], list[str]]:
    """Read changed files; returns the lines of the table, and what is wrong."""
    counts: Counter[tuple[str, str]] = Counter()
    violations: list[str] = []
    for begun in range(0, n, AT_ONCE):
        found, wrong = fuzz_apart(seed + begun, min(AT_ONCE, n - begun))
        counts.update(found)
        violations += wrong
        print(f"{min(begun + AT_ONCE, n):6d} inputs, {len(violations)} violations", flush=True)
    return _rows(counts, ("read", "typed error", "VIOLATION"), "all files"), violations


def _rows(counts: Counter[tuple[str, str]], outcomes: Sequence[str], total: str) -> list[Row]:
    """Make a row for each name, and one for all."""
    names = sorted({name for name, _ in counts})
    found = {name: [counts[name, outcome] for outcome in outcomes] for name in names}
    found[total] = [sum(found[name][place] for name in names) for place in range(len(outcomes))]
    return [(name, sum(numbers), *numbers) for name, numbers in found.items()]


if __name__ == "__main__":
    main()
