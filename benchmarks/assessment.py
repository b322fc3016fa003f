"""What campaigns say of their own error, and what is true: python benchmarks/assessment.py [--seeds N].

Copper and other materials to which nothing was tuned, by parameters alone with default settings. Each campaign measures
its force error on probes, frames of its own run; the truth is the error along an independent trajectory of its oracle,
which the campaign does not see. A campaign may be wrong, but it has to say so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
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
    "tungsten, basis='auto'": {
        "structure": "W",
        "supercell": (4, 4, 4),
        "temperature": (300, 3000),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * W_zhou.eam.alloy W"],
        "basis": "auto",
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
    "gallium nitride, Tersoff": {
        "structure": "GaN",
        "crystal": "wurtzite",
        "lattice_constant": 3.19,
        "supercell": (3, 3, 2),
        "temperature": (300, 2000),
        "pair_style": "tersoff",
        "pair_coeff": ["* * GaN.tersoff Ga N"],
    },
    "nickel aluminide": {
        "temperature": (300, 2000),
        "pair_style": "eam/alloy",
        "pair_coeff": ["* * NiAlH_jea.eam.alloy Al Ni"],
    },
    "CoCrFeNiV, MEAM": {
        "temperature": (300, 2000),
        "pair_style": "meam",
        "pair_coeff": ["* * library_2nn.meam Mo Co Ni V Fe Al Cr MoCoNiVFeAlCr_2nn.meam Co Cr Fe Ni V"],
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

SLOW = ("CoCrFeNiV, MEAM",)
"""Materials that are run only if `--only` names them: more than ten minutes."""

STRUCTURES: dict[str, Callable[[], Atoms]] = {
    "nickel aluminide": lambda: _occupied("Ni", 3.57, ["Al", "Ni", "Ni", "Ni"]),
    "CoCrFeNiV, MEAM": lambda: _random_alloy("Ni", 3.6, ["Co", "Cr", "Fe", "Ni", "V"]),
}
"""Structures that parameters do not name."""

MOST = {
    "copper": 5.6,
    "tungsten": 45.0,
    "tungsten, basis='auto'": 20.0,
    "silicon, Stillinger-Weber": 30.0,
    "gallium nitride, Stillinger-Weber": 80.0,
}
"""Bounds of the true force error by name, meV/Å."""


def main() -> None:
    """Run the campaigns, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="words in the names of the materials to run")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds of each, from 1")
    arguments = parser.parse_args()
    words = arguments.only or [name for name in MATERIALS if name not in SLOW]
    chosen = [name for name in MATERIALS if any(word in name for word in words)]
    outcome = Outcome("What campaigns say of their error, and what is true", seeds=range(1, arguments.seeds + 1))
    outcome.table(
        {
            "material, seed": "",
            "halts": "d",
            "for errors": "d",
            "labels": "d",
            "measured / (meV/Å)": ".1f",
            "95 % interval": "",
            "true / (meV/Å)": ".1f",
            "measured / true": ".2f",
            "of the forces": ".1%",
            "basis": "",
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
    structure = STRUCTURES[name]() if name in STRUCTURES else None
    with Campaign.create(folder / "campaign", config, structure=structure) as campaign:
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
            sum(halt["tier"] == "uncertainty" for halt in campaign.progress.halts),
            campaign.progress.n_labels,
            float("nan") if measured is None else measured,
            "–" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}",
            truth,
            float("nan") if measured is None else measured / truth,
            float("nan") if assessment.share is None else assessment.share,
            _basis(campaign),
            f"{verdict}, {failure}" if failure else verdict,
            wall,
        )
        if name in MOST:
            outcome.at_most(f"{name}, seed {seed}: true force error / (meV/Å)", truth, MOST[name])
        silent = campaign.state is State.DONE and assessment.met is None
        outcome.must(f"{name}, seed {seed}: ends with a measured error or an error message", not silent)
    return None if measured is None or failure else measured / truth


def _occupied(element: str, lattice_constant: float, symbols: list[str]) -> Atoms:
    """Return an fcc crystal of 108 atoms whose four sublattices have the given elements."""
    cell = bulk(element, "fcc", a=lattice_constant, cubic=True)
    cell.symbols = symbols
    return cell.repeat(3)


def _random_alloy(element: str, lattice_constant: float, symbols: list[str]) -> Atoms:
    """Return an fcc crystal of 108 atoms with the elements at random sites, in nearly equal numbers."""
    atoms = bulk(element, "fcc", a=lattice_constant, cubic=True).repeat(3)
    sites = np.resize(symbols, len(atoms))
    atoms.symbols = np.random.default_rng(1).permutation(sites).tolist()
    return atoms


def _basis(campaign: Campaign) -> str:
    """Return cutoff and number of functions of the final potential, and whether they were chosen."""
    generation = campaign.generation
    if generation is None:
        return "–"
    choice = generation.basis_choice
    chosen = "" if choice is None or choice.best == choice.configured else ", chosen"
    return f"{generation.cutoff:g} Å, {len(generation.coefficients())}{chosen}"


if __name__ == "__main__":
    main()
