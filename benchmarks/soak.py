"""Campaigns under faults, and hostile input: python benchmarks/soak.py [--campaigns 500] [--inputs 10000] [--seed N].

Each campaign is one of tests/soak/worlds.py under one fault of tests/soak, both drawn at random. Afterwards it has to
have come to the same end as without the fault, to the bit, or to have stopped with an error of acemaker's; every label
that its oracle was paid for has to be readable, none paid for twice, no process left over. Then files of each kind that
acemaker reads are changed at random and read. Prints a table by fault, and fails if anything was otherwise;
--campaign SEED soaks one campaign again. --results FILE writes the table as CSV.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import print_machine

from tests.soak.fuzz import fuzz_apart
from tests.soak.life import Nursery
from tests.soak.soaked import FAULTS, Soak, Soaked

OUTCOMES = ("same end", "typed error", "VIOLATION")
READ = ("read", "typed error", "VIOLATION")
AT_ONCE = 500
"""Inputs that one process reads."""


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
    print_machine()
    print(command_of(given.seed, given.campaigns, given.inputs))
    rows, violations = fuzzed(given.seed, 0 if given.campaign is not None else given.inputs)
    seeds = random.Random(given.seed)
    drawn = [given.campaign] if given.campaign is not None else [seeds.randrange(10**9) for _ in range(given.campaigns)]
    soaked: list[Soaked] = []
    with Nursery() as nursery, contextlib.suppress(KeyboardInterrupt):  # what was done until then is told
        soak = Soak(Path(tempfile.mkdtemp(prefix="soak-")), nursery)
        if impossible := set(FAULTS) - set(soak.faults):
            print(f"left out, since mounts are forbidden here: {', '.join(impossible)}")
        for number, seed in enumerate(drawn, start=1):
            begun = time.monotonic()
            soaked.append(soak.soak(seed, given.fault, given.world))
            print(f"{number:4d}  {time.monotonic() - begun:5.1f} s  {line_of(soaked[-1])}", flush=True)
    rows = [f"# {command_of(given.seed, len(soaked), given.inputs)}", *table(soaked), *rows]
    print("\n".join(rows))
    if given.results:
        given.results.write_text("\n".join(rows) + "\n")
    violations += [f"python benchmarks/soak.py --campaign {one.seed}" for one in soaked if one.outcome == "VIOLATION"]
    sys.exit("\n".join(["violations:", *violations]) if violations else 0)


def command_of(seed: int, campaigns: int, inputs: int) -> str:
    """Write the command that draws the same again."""
    return f"python benchmarks/soak.py --campaigns {campaigns} --inputs {inputs} --seed {seed}"


def line_of(soaked: Soaked) -> str:
    """Say how a campaign went."""
    said = soaked.said if soaked.outcome == "VIOLATION" else f"{soaked.said:.160}"
    words = f"{soaked.seed:9d}  {soaked.world}: {soaked.fault} ({soaked.detail}): {soaked.outcome}"
    return ", ".join([words, *soaked.lives]) + (f": {said}" if said else "")


def fuzzed(seed: int, n: int) -> tuple[list[str], list[str]]:
    """Read changed files; returns the lines of the table, and what is wrong."""
    counts: Counter[tuple[str, str]] = Counter()
    violations: list[str] = []
    for begun in range(0, n, AT_ONCE):
        found, wrong = fuzz_apart(seed + begun, min(AT_ONCE, n - begun))
        counts.update(found)
        violations += wrong
        print("\n".join([f"{begun + AT_ONCE:6d} inputs, {len(violations)} violations", *wrong]), flush=True)
    names = sorted({name for name, _ in counts})
    rows = [
        f'"input: {name}",{sum(counts[name, one] for one in READ)},' + ",".join(str(counts[name, one]) for one in READ)
        for name in names
    ]
    total = ",".join(str(sum(counts[name, one] for name in names)) for one in READ)
    return [*rows, f"all inputs,{n},{total}"], violations


def table(soaked: list[Soaked]) -> list[str]:
    """Count outcomes by fault, as lines of CSV."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in soaked:
        counts[one.fault][one.outcome] += 1
        counts["all"][one.outcome] += 1
    return ["fault or input,number,same end or read,typed error,violation"] + [
        f"{fault},{sum(found.values())}," + ",".join(str(found[name]) for name in OUTCOMES)
        for fault, found in sorted(counts.items(), key=lambda item: (item[0] == "all", item[0]))
    ]


if __name__ == "__main__":
    main()
