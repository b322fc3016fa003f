"""What campaigns say of their own error, and what is true: python benchmarks/assessment.py [--seeds N].

Copper and eight materials to which nothing was tuned, by parameters alone with default settings. Each campaign measures
its force error on probes, frames of its own run; the truth is the error along an independent trajectory of its oracle,
which the campaign does not see. A campaign may be wrong, but it has to say so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from outcome import Outcome

from acemaker import Campaign, CampaignConfig
from acemaker.analysis import evaluate_accuracy
from acemaker.errors import AcemakerError
from acemaker.states import State

MAX_RATIO = 1.5
"""Factor within which the measured error and the true one agree."""

AGREEING = 0.9
"""Share of the campaigns that must agree."""

COMMON = {"oracle": "lammps", "steps": 1000, "lattice_constant": None}

MATERIALS: dict[str, dict[str, Any]] = {
    "copper": {
        "structure": "Cu",
        "supercell": (3, 3, 3),
        "temperature": (300, 3000),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"],
    },
    "nickel": {
        "structure": "Ni",
        "supercell": (3, 3, 3),
        "temperature": (300, 3200),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * CuNi.eam.alloy Ni"],
    },
    "aluminum": {
        "structure": "Al",
        "supercell": (3, 3, 3),
        "temperature": (300, 1500),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * Al_zhou.eam.alloy Al"],
    },
    "tungsten": {
        "structure": "W",
        "supercell": (4, 4, 4),
        "temperature": (300, 3000),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * W_zhou.eam.alloy W"],
    },
    "magnesium": {
        "structure": "Mg",
        "supercell": (4, 4, 3),
        "temperature": (300, 1500),
        "pair_style": "eam/fs",
        "pair_coeff": ["* * Mg_mm.eam.fs Mg"],
    },
    "silicon, Stillinger-Weber": {
        "structure": "Si",
        "supercell": (3, 3, 3),
        "temperature": (300, 2000),
        "pair_style": "sw",
        "pair_coeff": ["* * Si.sw Si"],
        "max_atoms": 216,
    },
    "silicon, Tersoff": {
        "structure": "Si",
        "supercell": (2, 2, 2),
        "temperature": (300, 3000),
        "pair_style": "tersoff",
        "pair_coeff": ["* * Si.tersoff Si"],
    },
    "gallium nitride, Stillinger-Weber": {
        "structure": "GaN",
        "crystal": "wurtzite",
        "lattice_constant": 3.19,
        "supercell": (3, 3, 2),
        "temperature": (300, 2000),
        "pair_style": "sw",
        "pair_coeff": ["* * GaN.sw Ga N"],
    },
    "argon": {
        "structure": "Ar",
        "lattice_constant": 5.31,
        "supercell": (3, 3, 3),
        "temperature": (20, 140),
        "pair_style": "lj/cut 8.5",
        "pair_coeff": ["* * 0.01032 3.405"],
        "cutoff": 8.5,
    },
}
"""Parameters by name."""


def main() -> None:
    """Run the campaigns, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="words in the names of the materials to run")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds of each, from 1")
    arguments = parser.parse_args()
    chosen = [name for name in MATERIALS if not arguments.only or any(word in name for word in arguments.only)]
    outcome = Outcome("What campaigns say of their error, and what is true", seeds=range(1, arguments.seeds + 1))
    outcome.table(
        {
            "material, seed": "",
            "halts": "d",
            "labels": "d",
            "measured / (meV/Å)": ".1f",
            "95 % interval": "",
            "true / (meV/Å)": ".1f",
            "measured / true": ".2f",
            "of the forces": ".1%",
            "verdict": "",
            "wall / s": ".0f",
        }
    )
    ratios = []
    for name in chosen:
        for seed in range(1, arguments.seeds + 1):
            with tempfile.TemporaryDirectory() as scratch:
                ratio = _run(outcome, name, seed, Path(scratch))
            if ratio is not None:
                ratios.append(ratio)
    agree = [1 / MAX_RATIO <= ratio <= MAX_RATIO for ratio in ratios]
    if ratios:
        outcome.at_least(f"share of campaigns that agree within {MAX_RATIO:g}", float(np.mean(agree)), AGREEING)
    outcome.finish()


def _run(outcome: Outcome, name: str, seed: int, folder: Path) -> float | None:
    """Run a campaign, and return the ratio of the measured error to the true one; None if it has measured nothing."""
    parameters = {**COMMON, **MATERIALS[name], "seed": seed}
    config = CampaignConfig.from_parameters({key: value for key, value in parameters.items() if value is not None})
    started, failure = time.perf_counter(), ""
    with Campaign.create(folder / "campaign", config) as campaign:
        try:
            campaign.run()
        except AcemakerError as error:
            failure = type(error).__name__
        wall = time.perf_counter() - started
        assessment = campaign.assess()
        truth = evaluate_accuracy(campaign).force_rmse_all if campaign.generation is not None else float("nan")
        verdict = {True: "met", False: "not met", None: "not measured"}[assessment.met]
        measured, interval = assessment.force_error, assessment.interval
        outcome.row(
            f"{name}, {seed}",
            campaign.progress.n_halts,
            campaign.progress.n_labels,
            float("nan") if measured is None else measured,
            "–" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}",
            truth,
            float("nan") if measured is None else measured / truth,
            float("nan") if assessment.share is None else assessment.share,
            f"{verdict}, {failure}" if failure else verdict,
            wall,
        )
        silent = campaign.state is State.DONE and assessment.met is None
        outcome.must(f"{name}, seed {seed}: ends with a measured error or an error message", not silent)
    return None if measured is None or failure else measured / truth


if __name__ == "__main__":
    main()
