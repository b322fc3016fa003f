"""Predicted force errors against true ones: python benchmarks/force_errors.py [--only NAME ...] [--all] [--seed N].

A campaign is run; each of its generations predicts the force errors of 25 frames of the oracle's own trajectory from
its labels alone, and the true errors are compared: the share of the atoms inside of the radius of 95 %, and the frames
with a wrong atom in which neither gamma nor the radius raises an alarm. The time of a prediction is given beside that
of gamma.

By default silicon alone, which melts; with --all also copper and copper-nickel.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from outcome import Outcome
from systems import SYSTEMS, reference_frames

from acemaker import Campaign, OTFConfig
from acemaker.analysis import ForceErrors, generations_of, predict_force_errors
from acemaker.analysis.force_errors import evenly
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.potentials.measures import PredictedForceError

TOLERANCES = {"silicon": 300.0, "copper": 50.0, "copper-nickel": 150.0}
"""meV/Å, above which an atom is wrong: about the error that is usual at the end."""

ENOUGH = {"silicon": 5, "copper": 5, "copper-nickel": 8}
"""Number of labels from which the coverage is bounded."""

N_FRAMES, REPEATS = 25, 3


def main() -> None:
    """Run the campaigns, and compare the predictions of all their generations with the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all systems")
    parser.add_argument("--only", nargs="+", choices=TOLERANCES, help="silicon by default")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = given.only or (list(TOLERANCES) if given.all else ["silicon"])
    outcome = Outcome("Predicted and true force errors", [given.seed])
    outcome.table(
        {
            "system, labels": "",
            "true / (meV/Å)": ".1f",
            "predicted / (meV/Å)": ".1f",
            "inside of 95 % / %": ".1f",
            "wrong frames": "d",
            "missed by gamma": "d",
            "missed by the radius": "d",
        },
        "Every generation on 25 frames of the oracle's own trajectory",
    )
    costs, shares, missed = [], dict[str, list[float]](), dict[str, tuple[int, int]]()
    for system in [system for system in SYSTEMS if system.name in names]:
        tolerance = TOLERANCES[system.name]
        frames = evenly(reference_frames(system, given.seed), N_FRAMES, 10**9)
        with (
            tempfile.TemporaryDirectory() as scratch,
            Campaign.create(Path(scratch) / "campaign", system.config(given.seed)) as campaign,
        ):
            campaign.run()
            threshold = campaign.config.otf.threshold_call_dft
            for entry in generations_of(campaign):
                errors = predict_force_errors(entry.generation, frames)
                wrong, by_radius, by_gamma = errors.missed_structures(tolerance, threshold)
                share = 100 * errors.coverage.value
                outcome.row(
                    f"{system.name}, {entry.n_structures}", _rms(errors), errors.rms, share, wrong, by_gamma, by_radius
                )
                if entry.n_structures >= ENOUGH[system.name]:
                    shares.setdefault(system.name, []).append(share)
                missed[system.name] = wrong, by_radius
            assert campaign.generation is not None
            costs.append((system.name, *_costs(campaign.generation, frames[-1])))
    columns = ("gamma", "four samples", "with neighbors", "exact rows")
    outcome.table({"system": "", **{f"{name} / (µs/atom)": ".0f" for name in columns}}, "CPU time, one core")
    for cost in costs:
        outcome.row(*cost)
    every = OTFConfig().uncertainty_every
    for name, gamma, _, measured, _ in costs:
        ratio = 1 + measured / (every * gamma)
        outcome.at_most(f"{name}: mean cost of a check, with the measure at one of {every} / gamma alone", ratio, 2.5)
    for name, values in shares.items():
        outcome.at_least(f"{name}: least share inside of the radius", min(values), 85, "%")
        outcome.at_most(f"{name}: largest share inside of the radius", max(values), 99, "%")
    if "silicon" in missed:
        wrong, by_radius = missed["silicon"]
        outcome.at_most(
            "silicon, last generation: wrong frames that are missed", 100 * by_radius / max(wrong, 1), 20, "%"
        )
    outcome.finish()


def _rms(errors: ForceErrors) -> float:
    return float(np.sqrt(np.nanmean(errors.actual**2)))


def _costs(generation: Generation, atoms: Atoms) -> tuple[float, float, float, float]:
    """Return CPU times in µs per atom: gamma, the four samples, the same with neighbor lists, and the exact rows."""
    evaluator, samples = evaluator_of(generation), generation.force_error_model().samples
    surroundings = environment(atoms, evaluator.elements, evaluator.cutoff)
    measure = PredictedForceError(generation)
    measure.per_atom(atoms)  # creates the evaluators of the samples
    works: tuple[Callable[[], object], ...] = (
        lambda: evaluator.graded(surroundings),
        lambda: evaluator.sampled_forces(surroundings, samples),
        lambda: measure.per_atom(atoms),
        lambda: evaluator.force_rows(atoms),
    )
    seconds = [min(_seconds(work) for _ in range(REPEATS)) for work in works]
    graded, sampled, measured, exact = (1e6 * value / len(atoms) for value in seconds)
    return graded, sampled, measured, exact


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
