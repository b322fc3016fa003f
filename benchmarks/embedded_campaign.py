"""A campaign that labels embedded cells beside one that labels whole ones: python benchmarks/embedded_campaign.py [N].

Copper, 4 N^3 atoms (N = 10 by default), heated; both campaigns are judged by the force error along an independent
trajectory of the oracle. Labels of whole cells are what no density functional would give. It takes long.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import copper
from outcome import Outcome

from acemaker import Campaign
from acemaker.analysis import campaign_summary, evaluate_accuracy

BOUND = 1.5
"""Largest ratio of the force errors, embedded to whole."""

LARGEST = 200
"""Atoms, of any label of the first campaign."""


def main() -> None:
    """Print a row a campaign, and fail beyond the bounds."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    outcome = Outcome("A campaign that labels embedded cells beside one that labels whole ones", seeds=(1,))
    outcome.table(
        {
            "max_atoms": "d",
            "halts": "d",
            "labels": "d",
            "largest label": "d",
            "force RMSE / (meV/Å)": ".2f",
            "energy MAE / (meV/atom)": ".3f",
            "wall / s": ".1f",
        },
        f"{4 * n**3} copper atoms, 300 to 1800 K in {steps} steps",
    )
    errors, largest = [], []
    for max_atoms in (150, 10**6):
        config = copper(supercell=(n, n, n), steps=steps, temperature=(300.0, 1800.0), max_atoms=max_atoms)
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign.create(Path(folder) / "campaign", config).run()
            values = campaign_summary(campaign, evaluate_accuracy(campaign, tolerance=100.0)).values
            largest.append(max(len(atoms) for atoms in campaign.labeled_structures()))
            campaign.close()
        errors.append(values["force_rmse_meV_per_A"])
        made = (values["halts"], values["labels"], largest[-1])
        outcome.row(max_atoms, *made, errors[-1], values["energy_mae_meV_per_atom"], values["wall_s"])
    outcome.at_most("force RMSE, embedded to whole", errors[0] / errors[1], BOUND)
    outcome.at_most("largest label of the embedded", largest[0], LARGEST, "atoms")
    outcome.finish()


if __name__ == "__main__":
    main()
