"""All benchmarks, one after the other: python benchmarks/run.py [--full] [--only NAME ...] [--results FOLDER].

Each is a command of its own and may be run by itself. A reduced form is run unless --full is given; every bound is
printed again at the end, with pass or FAIL.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from outcome import FOLDER
from page import HERE, RESULTS, bounds, outcomes

COMMANDS: dict[str, tuple[list[str] | None, list[str]]] = {
    "import_time": ([], []),
    "heal_time": ([], []),
    "heal_growth": (["60", "20"], []),
    "heal_against": (["10"], []),
    "maxvol": (["20000", "100"], []),
    "journal": (["20000"], []),
    "scale": (["10000", "--each", "4", "--fitted", "6"], []),
    "cockpit": ([], []),
    "candidates": ([], []),
    "guard": ([], []),
    "label_efficiency": (["1"], []),
    "engine_speed": ([], []),
    "engine_sizes": (["--reduced"], []),
    "embedding": (["vacancy"], []),
    "soak": (["--campaigns", "25", "--inputs", "1000"], ["--seed", "2026", "--results", "benchmarks/results/soak.csv"]),
    "workshop": ([], ["--solutions"]),
    "label_cost": ([], ["--all", "--file", "benchmarks/results/label_cost.csv"]),
    "label_systems": ([], ["--all", "--file", "benchmarks/results/label_systems.csv"]),
    "ablations": ([], ["--all", "--file", "benchmarks/results/ablations.csv"]),
    "embedded_campaign": (None, []),
    "delta_learning": (None, ["--write"]),
    "pacemaker": (None, []),
}
"""Arguments of the reduced and of the full form; None where there is no reduced one."""


def main() -> None:
    """Run them, and tell all bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="everything, which takes hours")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="some of them")
    parser.add_argument("--results", type=Path, help="where outcomes are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.results or (RESULTS if given.full else Path(scratch))
        failed = []
        for name in given.only:
            arguments = COMMANDS[name][given.full]
            if arguments is None:
                continue
            started = time.perf_counter()
            command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
            environment = {**os.environ, FOLDER: str(folder.resolve())}
            code = subprocess.run(command, env=environment, cwd=HERE.parent).returncode
            print(f"-- {name}: {time.perf_counter() - started:.0f} s{', failed' if code else ''}\n", flush=True)
            failed += [name] if code else []
        for what, value, bound, holds in bounds(outcomes(folder)):
            print(f"{holds.strip('*').replace('fail', 'FAIL')}  {what}: {value} ({bound})")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
