"""Labels with and without a cold start: python benchmarks/cold_start.py [--all] [--seeds N ...] [--only WORD ...].

A cheap potential runs the same ramp first, frames of it are labeled, and the loop goes on from there: Zhou's EAM
explores for the oracle of copper (Mishin's), Tersoff's potential for that of silicon (Stillinger and Weber's). Both are
other potentials than the oracles, that of silicon one with large errors. Beside it the same campaign without a cold
start, which begins with strained and rattled structures. All are judged by the force error along an independent
trajectory of the oracle, and neither has probes, so that all labels are those of the first generation and of halts.

By default copper alone, one seed; with --all both systems, five seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from outcome import Outcome
from systems import SYSTEMS, System, force_rmse, reference_frames

from acemaker import Campaign
from acemaker.engines.cold_run import cheap_potential
from acemaker.structures.computed import forces_of

EXPLORERS: dict[str, dict[str, Any]] = {
    "copper": {"cold_start": "eam/alloy", "cold_start_coeff": ["* * Cu_zhou.eam.alloy Cu"]},
    "silicon": {"cold_start": "tersoff", "cold_start_coeff": ["* * Si.tersoff Si"]},
}
"""The cheap potential of each system."""

MOST_LABELS, MOST_ERROR = 0.6, 1.25
"""Bounds of the ratios to the campaign without a cold start, medians over the seeds: labels, and force error."""


def main() -> None:
    """Run the campaigns, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="both systems, five seeds")
    parser.add_argument("--seeds", type=int, nargs="+", help="1 by default, 1 to 5 with --all")
    parser.add_argument("--only", nargs="+", choices=EXPLORERS, help="copper by default, both with --all")
    given = parser.parse_args()
    seeds = given.seeds or ([1, 2, 3, 4, 5] if given.all else [1])
    names = given.only or (list(EXPLORERS) if given.all else ["copper"])
    systems = [system for system in SYSTEMS if system.name in names]
    outcome = Outcome("Labels with and without a cold start", seeds)
    outcome.table(
        {
            "system, seed": "",
            "explorer's error / (meV/Å)": ".0f",
            "cold: labels": "d",
            "cold: halts": "d",
            "cold: force RMSE / (meV/Å)": ".2f",
            "loop: labels": "d",
            "loop: force RMSE / (meV/Å)": ".2f",
            "wall / s": ".0f",
        },
        "Campaigns",
    )
    ratios: dict[str, list[tuple[float, float]]] = {}
    for system in systems:
        for seed in seeds:
            started = time.perf_counter()
            labels, halts, error = _campaign(system, seed, EXPLORERS[system.name])
            loop_labels, _, loop_error = _campaign(system, seed, {})
            wall = time.perf_counter() - started
            explorer = _explorers_error(system, seed)
            outcome.row(f"{system.name}, {seed}", explorer, labels, halts, error, loop_labels, loop_error, wall)
            ratios.setdefault(system.name, []).append((labels / loop_labels, error / loop_error))
    for name, pairs in ratios.items():
        shares, errors = zip(*pairs, strict=True)
        outcome.at_most(f"{name}: labels to those of the loop", median(shares), MOST_LABELS)
        outcome.at_most(f"{name}: force error to that of the loop", median(errors), MOST_ERROR)
    outcome.finish()


def _campaign(system: System, seed: int, changes: dict[str, Any]) -> tuple[int, int, float]:
    """Run a campaign; return its labels, its halts, and its force error in meV/Å."""
    with tempfile.TemporaryDirectory() as scratch:
        config = system.config(seed, n_probes=0, **changes)
        with Campaign.create(Path(scratch) / "campaign", config) as campaign:
            campaign.run()
            assert campaign.generation is not None
            error = force_rmse(campaign.generation, reference_frames(system, seed))
            return campaign.progress.n_labels, campaign.progress.n_halts, error


def _explorers_error(system: System, seed: int) -> float:
    """Return the force error of the cheap potential itself along the oracle's trajectory, meV/Å."""
    frames = reference_frames(system, seed)
    elements = tuple(sorted(set(frames[0].get_chemical_symbols())))
    potential = cheap_potential(system.config(seed, **EXPLORERS[system.name]).system, elements)
    squares = [((potential.evaluate(atoms)[1] - forces_of(atoms)) ** 2).mean() for atoms in frames]
    return float(1e3 * (sum(squares) / len(squares)) ** 0.5)


if __name__ == "__main__":
    main()
