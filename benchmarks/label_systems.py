"""Labels against error on four systems: python benchmarks/label_systems.py [--all] [--seeds N ...] [--only WORD ...].

acemaker, with whole cells and with small ones, beside what is done without gamma: frames of the potential's own run
(random ones, every N-th, the last alone; it runs without halts, learns, and runs again), and random frames of a true
trajectory, which no user has. All are judged by the force error along an independent trajectory of the oracle, and
start from the same structure. A label costs its atoms cubed, as in plane-wave codes; the unit is one label of all
atoms. equal_error.py says what "at equal error" means.

Rows that a file holds (--file FILE) are not computed again, so that the long run (--all, five seeds, hours) can be
broken off. By default the adatom alone, one seed, and no file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from equal_error import frames_at, medians
from label_strategies import SMALLER, STRATEGIES, TRUE, WHOLE, Strategy
from outcome import Outcome
from rows import Row, append, read_rows
from systems import SYSTEMS, System, force_rmse, reference_frames

COMMAND = "python benchmarks/label_systems.py --all --file benchmarks/results/label_systems.csv"
KEY = ("system", "strategy", "point", "seed")
MOST_LABELS, MOST_COST = 1.0, 0.25  # of random frames of a true trajectory, at equal error
STEPS_A_LABEL = 11  # of the adatom, as in FLARE's tutorial


def main() -> None:
    """Compute the rows that are missing, and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all systems, five seeds")
    parser.add_argument("--seeds", type=int, nargs="+", help="1 by default, 1 to 5 with --all")
    parser.add_argument("--only", nargs="+", default=[], help="words that 'SYSTEM, STRATEGY' must contain, all of them")
    parser.add_argument("--file", type=Path, help="where rows are kept")
    given = parser.parse_args()
    words = given.only or ([] if given.all else ["adatom"])
    pairs = [
        (system, strategy)
        for strategy in STRATEGIES
        for system in SYSTEMS
        if all(word in f"{system.name}, {strategy}" for word in words)
    ]
    seeds = given.seeds or ([1, 2, 3, 4, 5] if given.all else [1])
    rows = read_rows(given.file, KEY)
    outcome = Outcome("Labels against error on four systems", seeds)
    print(f"{'system':17} {'strategy':31} seed  labels  cost / whole cells  force RMSE / (meV/Å)  wall / s")
    for seed, (system, name) in product(seeds, pairs):
        points, strategy = STRATEGIES[name]
        if all((system.name, name, str(point), str(seed)) in rows for point in range(points)):
            continue
        for row in _compute(system, name, strategy, seed):
            key = tuple(row[column] for column in KEY)
            if key not in rows:
                rows[key] = row
                append(given.file, row, COMMAND)
    chosen = [row for row in rows.values() if int(row["seed"]) in seeds]
    summarize(outcome, chosen, list(dict.fromkeys(system.name for system, _ in pairs)))
    outcome.finish()


def _compute(system: System, name: str, strategy: Strategy, seed: int) -> Iterator[Row]:
    """Judge the points of one strategy as they come."""
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        for point, result in enumerate(strategy(system, seed, Path(scratch))):
            wall = time.perf_counter() - started
            sizes = np.array([len(atoms) for atoms in result.labels])
            rmse = force_rmse(result.generation, reference_frames(system, seed)) if result.generation else float("nan")
            row = {
                "system": system.name,
                "strategy": name,
                "point": str(point),
                "seed": str(seed),
                "halts": str(result.halts),
                "labels": str(len(sizes)),
                "cost": f"{(sizes**3).sum() / len(system.start(seed)) ** 3:.3f}",
                "force_rmse_meV_per_A": f"{rmse:.3f}",
                "step": str(result.step),
                "wall_s": f"{wall:.1f}",
                "ended": result.ended,
            }
            print(
                f"{system.name:17} {name:31} {seed:4}  {row['labels']:>6}  {row['cost']:>18}  "
                f"{row['force_rmse_meV_per_A']:>20}  {row['wall_s']:>8}  {result.ended}",
                flush=True,
            )
            yield row


def summarize(outcome: Outcome, rows: Sequence[Row], systems: Sequence[str]) -> None:
    """Fill the tables, and hold every system against the bounds."""
    outcome.table(
        {
            "system": "",
            "strategy": "",
            "seeds": "d",
            "labels": "g",
            "cost / whole cells": ".2f",
            "force RMSE / (meV/Å)": ".2f",
            "least to largest": "",
        },
        "Medians",
    )
    for system in systems:
        for strategy in STRATEGIES:
            for one in medians(rows, system, strategy):
                spread = f"{one.least:.2f} to {one.largest:.2f}"
                outcome.row(system, strategy, one.seeds, one.labels, one.cost, one.error, spread)
    outcome.table(
        {
            "system": "",
            "campaign": "",
            "labels": "g",
            "cost / whole cells": ".2f",
            "true frames at its error": ".1f",
            "labels to theirs": ".2f",
            "cost to theirs": ".2f",
        },
        "Campaigns beside random frames of a true trajectory at equal error",
    )
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for system in systems:
        curve = medians(rows, system, TRUE)
        for strategy in (WHOLE, SMALLER):
            for one in medians(rows, system, strategy) if curve else []:
                frames = frames_at(one.error, curve)
                shares = (one.labels / frames, one.cost / frames) if one.done else (float("inf"), float("inf"))
                found.setdefault(system, {})[strategy] = shares
                outcome.row(system, strategy, one.labels, one.cost, frames, *shares)
    for system, campaigns in found.items():
        labels, costs = zip(*campaigns.values(), strict=True)
        outcome.at_most(f"{system}: fewest labels to those of true frames", min(labels), MOST_LABELS)
        outcome.at_most(f"{system}: least cost to that of true frames", min(costs), MOST_COST)
        both = any(label <= MOST_LABELS and cost <= MOST_COST for label, cost in campaigns.values())
        outcome.must(f"{system}: both in one campaign", both)
    calls = [row for row in rows if row["system"] == "aluminum adatom" and row["strategy"] == WHOLE]
    if calls:
        most = max(int(row["labels"]) / max(int(row["step"]), 1) for row in calls)
        outcome.at_most("aluminum adatom: labels a step, most", most, 1 / STEPS_A_LABEL)


if __name__ == "__main__":
    main()
