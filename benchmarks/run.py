"""All benchmarks, one after the other: python benchmarks/run.py [--full] [--only NAME ...] [--results FOLDER].

Each is a command of its own and may be run by itself. A reduced form is run unless --full is given, in place of which
those that have none show what is kept of the full one; every bound is printed again at the end, with pass or FAIL.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outcome import FOLDER
from page import HERE, RESULTS, bounds, outcomes

COMMANDS: dict[str, tuple[list[str] | None, list[str]]] = {
    "import_time": ([], []),
    "heal_time": ([], []),
    "heal_growth": (["60", "20"], []),
    "heal_against": (["10"], []),
    "maxvol": (["50000", "200"], []),
    "journal": (["20000"], []),
    "scale": (["10000", "--each", "4", "--fitted", "6"], []),
    "cockpit": ([], []),
    "candidates": ([], []),
    "guard": ([], []),
    "label_efficiency": (["1"], []),
    "assessment": (["--only", "nickel", "tungsten"], []),
    "cold_start": ([], ["--all"]),
    "start_from": ([], ["--all"]),
    "force_errors": ([], ["--all"]),
    "engine_speed": ([], []),
    "engine_sizes": (["--reduced"], []),
    "embedding": (["vacancy"], []),
    "soak": (["--campaigns", "25", "--inputs", "1000"], ["--seed", "2026", "--results", "benchmarks/results/soak.csv"]),
    "workshop": ([], ["--solutions"]),
    "label_cost": ([], ["--all", "--file", "benchmarks/results/label_cost.csv"]),
    "label_systems": (["--all", "--seeds", "1"], ["--all", "--file", "benchmarks/results/label_systems.csv"]),
    "ablations": ([], ["--all", "--file", "benchmarks/results/ablations.csv"]),
    "materials": (["--only", "cluster", "slab"], []),
    "embedded_campaign": (None, []),
    "delta_learning": (None, ["--write"]),
    "pacemaker": (None, []),
}
"""Arguments of the reduced and of the full form; None where there is no reduced one."""


def tell_bounds(found: Sequence[dict[str, Any]]) -> None:
    """Print every bound with pass or FAIL."""
    for what, value, bound, holds in bounds(found):
        print(f"{holds.strip('*').replace('fail', 'FAIL')}  {what}: {value} ({bound})")


def tell_kept(name: str) -> dict[str, Any]:
    """Print, and return, the outcome that is kept of a benchmark that takes too long to be run now."""
    outcome: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    print(f"{outcome['title']}\n{outcome['machine']}; not run in this form, as kept in benchmarks/results/{name}.json")
    for one in outcome["tables"]:
        widths = [max(map(len, column)) for column in zip(one["columns"], *one["rows"], strict=True)]
        print("\n" + (one["title"] or ""))
        for cells in [one["columns"], *one["rows"]]:
            print("  ".join(map(str.ljust, cells, widths)).rstrip())
    print(*outcome["notes"], sep="\n", end="\n\n", flush=True)
    return outcome


def main() -> None:
    """Run them, and tell all bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything, which takes hours")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="some of them")
    parser.add_argument("--results", type=Path, help="where outcomes are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.results or (RESULTS if given.full else Path(scratch))
        failed, kept = [], list[dict[str, Any]]()
        for name in given.only:
            arguments = COMMANDS[name][given.full]
            if arguments is None:
                kept.append(tell_kept(name))
                continue
            started = time.perf_counter()
            command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
            environment = {**os.environ, FOLDER: str(folder.resolve())}
            code = subprocess.run(command, env=environment, cwd=HERE.parent).returncode
            print(f"-- {name}: {time.perf_counter() - started:.0f} s{', failed' if code else ''}\n", flush=True)
            failed += [name] if code else []
        tell_bounds(outcomes(folder))
        if kept:
            print("and, as kept in benchmarks/results:")
            tell_bounds(kept)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
