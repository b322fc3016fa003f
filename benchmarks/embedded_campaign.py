"""A campaign that labels embedded cells beside one that labels whole ones: python benchmarks/embedded_campaign.py [N].

Copper, 4 N^3 atoms (N = 10 by default), heated; both campaigns are judged by the force error along an independent
trajectory of the oracle. Labels of whole cells are what no density functional would give. It takes long.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import copper, print_machine

from acemaker import Campaign, judge
from acemaker.verdict import campaign_summary

BOUND = 1.5
"""Largest ratio of the force errors, embedded to whole."""

LARGEST = 200
"""Atoms, of any label of the first campaign."""


def main() -> None:
    """Print a row a campaign, and fail beyond the bounds."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    print_machine()
    print(f"{4 * n**3} atoms, {steps} steps")
    print("max_atoms  halts  labels  largest label  force RMSE / (meV/Å)  energy MAE / (meV/atom)  wall / s")
    errors, largest = [], []
    for max_atoms in (150, 10**6):
        config = copper(supercell=(n, n, n), steps=steps, temperature=(300.0, 1800.0), max_atoms=max_atoms)
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign.create(Path(folder) / "campaign", config).run()
            values = campaign_summary(campaign, judge(campaign, tolerance=100.0)).values
            largest.append(max(len(atoms) for atoms in campaign.labels()))
            campaign.close()
        errors.append(values["force_rmse_meV_per_A"])
        print(
            f"{max_atoms:>9}  {values['halts']:>5}  {values['labels']:>6}  {largest[-1]:>13}  {errors[-1]:>20.2f}  "
            f"{values['energy_mae_meV_per_atom']:>23.3f}  {values['wall_s']:>8.1f}",
            flush=True,
        )
    print(f"embedded to whole: {errors[0] / errors[1]:.2f} (bound {BOUND})")
    sys.exit(not (errors[0] <= BOUND * errors[1] and largest[0] <= LARGEST))


if __name__ == "__main__":
    main()
