"""Labels of a campaign that begins with another one's: python benchmarks/start_from.py [--all] [--seeds N ...].

Campaign A heats the crystal through its melting point. Campaign B runs at another temperature, once from nothing and
once from A's labels (``first_labels``), which cost it nothing: at a constant temperature within A's ramp, and on a ramp
that ends above A's. All are judged by the force error along an independent trajectory of the oracle at B's temperature,
and none has probes, so that all labels are those of the first generation and of halts.

By default copper alone, one seed; with --all copper and silicon, three seeds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from outcome import Outcome
from systems import SYSTEMS, System, force_rmse

from acemaker import Campaign
from acemaker.analysis.reference import reference_trajectory

TEMPERATURES: dict[str, dict[str, Any]] = {
    "copper": {"constant": 2000.0, "hotter": (300.0, 3600.0)},
    "silicon": {"constant": 2700.0, "hotter": (300.0, 4800.0)},
}
"""Temperatures of campaign B in K, by system; A has the usual ramp of the system."""

MOST_LABELS, MOST_ERROR = 0.5, 1.1
"""Bounds of the ratios to the campaign from nothing, medians over the seeds: labels, and force error."""


def main() -> None:
    """Run the campaigns, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="both systems, three seeds")
    parser.add_argument("--seeds", type=int, nargs="+", help="1 by default, 1 to 3 with --all")
    parser.add_argument("--only", nargs="+", choices=TEMPERATURES, help="copper by default, both with --all")
    options = parser.parse_args()
    seeds = options.seeds or ([1, 2, 3] if options.all else [1])
    names = options.only or (list(TEMPERATURES) if options.all else ["copper"])
    outcome = Outcome("Labels of a campaign that begins with another one's", seeds)
    outcome.table(
        {
            "system, seed, B": "",
            "labels of A": "d",
            "from A: labels": "d",
            "from A: force RMSE / (meV/Å)": ".2f",
            "from nothing: labels": "d",
            "from nothing: force RMSE / (meV/Å)": ".2f",
            "wall / s": ".0f",
        },
        "Campaigns",
    )
    ratios: dict[str, list[tuple[float, float]]] = {}
    for system in (system for system in SYSTEMS if system.name in names):
        for seed in seeds:
            with tempfile.TemporaryDirectory() as scratch:
                earlier = Path(scratch) / "a"
                with Campaign.create(earlier, system.config(seed, n_probes=0)) as campaign:
                    campaign.run()
                    n_earlier = campaign.progress.n_labels
                for kind, temperature in TEMPERATURES[system.name].items():
                    started = time.perf_counter()
                    labels, error = _campaign(system, seed, temperature, {"first_labels": [str(earlier)]})
                    own_labels, own_error = _campaign(system, seed, temperature, {})
                    wall = time.perf_counter() - started
                    name = f"{system.name}, {seed}, {kind}"
                    outcome.row(name, n_earlier, labels, error, own_labels, own_error, wall)
                    ratios.setdefault(f"{system.name}, {kind}", []).append((labels / own_labels, error / own_error))
    for name, pairs in ratios.items():
        shares, errors = zip(*pairs, strict=True)
        outcome.at_most(f"{name}: labels to those from nothing", median(shares), MOST_LABELS)
        outcome.at_most(f"{name}: force error to that from nothing", median(errors), MOST_ERROR)
    outcome.finish()


def _campaign(system: System, seed: int, temperature: Any, changes: dict[str, Any]) -> tuple[int, float]:
    """Run campaign B; return the labels that it has paid, and its force error in meV/Å."""
    with tempfile.TemporaryDirectory() as scratch:
        # with another seed, since the trajectories of A and B would otherwise begin alike
        config = system.config(seed + 100, n_probes=0, temperature=temperature, **changes)
        with Campaign.create(Path(scratch) / "b", config) as campaign:
            campaign.run()
            assert campaign.generation is not None
            frames = reference_trajectory(config, system.start(seed + 100))
            return campaign.progress.n_charged, force_rmse(campaign.generation, frames)


if __name__ == "__main__":
    main()
