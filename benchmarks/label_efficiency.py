"""The main job over five seeds: python benchmarks/label_efficiency.py [SEED ...].

Labels, halts, wall time, and the errors along an independent trajectory of the oracle.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from common import copper
from outcome import Outcome

from acemaker import Campaign
from acemaker.analysis import campaign_summary, evaluate_accuracy

MEDIAN_LABELS, MOST_LABELS, LEAST_HALTS = 16, 24, 4
FORCES, ENERGY, WALL = 7.0, 0.5, 90.0  # meV/Å, meV/atom, s


def main() -> None:
    """Print a row a seed and the medians, and fail beyond the bounds."""
    seeds = [int(word) for word in sys.argv[1:]] or [1, 2, 3, 4, 5]
    outcome = Outcome("The main job: copper melts", seeds)
    outcome.table(
        {
            "seed": "d",
            "halts": "d",
            "labels": "d",
            "force RMSE / (meV/Å)": ".2f",
            "energy MAE / (meV/atom)": ".3f",
            "misses": "d",
            "liquid": "",
            "wall / s": ".1f",
        },
        "108 atoms, 300 to 3000 K in 4,000 steps, judged along an independent trajectory of the oracle",
    )
    rows = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign.create(Path(folder) / "campaign", copper(seed=seed)).run()
            values = campaign_summary(campaign, evaluate_accuracy(campaign, tolerance=100.0)).values
            campaign.close()
        rows.append(values)
        names = ("halts", "labels", "force_rmse_meV_per_A", "energy_mae_meV_per_atom", "misses")
        outcome.row(seed, *(values[name] for name in names), "yes" if values["liquid"] else "no", values["wall_s"])
    labels = [row["labels"] for row in rows]
    forces = [row["force_rmse_meV_per_A"] for row in rows]
    outcome.at_most("labels, median", statistics.median(labels), MEDIAN_LABELS)
    outcome.at_most("labels, most", max(labels), MOST_LABELS)
    outcome.at_least("halts, least", min(row["halts"] for row in rows), LEAST_HALTS)
    outcome.at_most("force RMSE, largest", max(forces), FORCES, "meV/Å")
    outcome.at_most("energy MAE, largest", max(row["energy_mae_meV_per_atom"] for row in rows), ENERGY, "meV/atom")
    outcome.at_most("wall time, largest", max(row["wall_s"] for row in rows), WALL, "s")
    outcome.must("each run melts", all(row["liquid"] for row in rows))
    outcome.finish()


if __name__ == "__main__":
    main()
