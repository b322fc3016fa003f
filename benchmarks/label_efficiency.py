"""The main job over five seeds: python benchmarks/label_efficiency.py [SEED ...].

Labels, halts, wall time, and the errors along an independent trajectory of the oracle.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from common import copper, print_machine

from acemaker import Campaign, judge
from acemaker.verdict import campaign_summary

MEDIAN_LABELS, MOST_LABELS, LEAST_HALTS = 16, 24, 4
FORCES, ENERGY, WALL = 7.0, 0.5, 90.0  # meV/Å, meV/atom, s


def main() -> None:
    """Print a row a seed and the medians, and fail beyond the bounds."""
    seeds = [int(word) for word in sys.argv[1:]] or [1, 2, 3, 4, 5]
    print_machine()
    print("seed  halts  labels  force RMSE / (meV/Å)  energy MAE / (meV/atom)  misses  liquid  wall / s")
    rows = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign.create(Path(folder) / "campaign", copper(seed=seed)).run()
            values = campaign_summary(campaign, judge(campaign, tolerance=100.0)).values
            campaign.close()
        rows.append(values)
        print(
            f"{seed:>4}  {values['halts']:>5}  {values['labels']:>6}  {values['force_rmse_meV_per_A']:>20.2f}  "
            f"{values['energy_mae_meV_per_atom']:>23.3f}  {values['misses']:>6}  {values['liquid']!s:>6}  "
            f"{values['wall_s']:>8.1f}",
            flush=True,
        )
    labels = [row["labels"] for row in rows]
    forces = [row["force_rmse_meV_per_A"] for row in rows]
    print(
        f"labels: median {statistics.median(labels):g} (bound {MEDIAN_LABELS}), most {max(labels)} "
        f"(bound {MOST_LABELS}); force RMSE: median {statistics.median(forces):.2f}, largest {max(forces):.2f} "
        f"(bound {FORCES:g} meV/Å)"
    )
    fine = (
        statistics.median(labels) <= MEDIAN_LABELS
        and max(labels) <= MOST_LABELS
        and max(forces) <= FORCES
        and max(row["energy_mae_meV_per_atom"] for row in rows) <= ENERGY
        and all(row["liquid"] and row["halts"] >= LEAST_HALTS and row["wall_s"] <= WALL for row in rows)
    )
    sys.exit(not fine)


if __name__ == "__main__":
    main()
