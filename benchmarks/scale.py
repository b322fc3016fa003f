"""What labels, halts and files cost as campaigns grow: python benchmarks/scale.py [LABELS] [OPTIONS].

What a label costs beyond the oracle at each place where labels are made (Dask and SLURM where they are here, or where
ACEMAKER_SLURM_LOCAL names a script that starts a SLURM, as for the tests); what a halt and a fit cost; a simulated
campaign of 1,000 walkers and 100,000 labels, and a store of as many shared labels, beside a tenth and a hundredth of
it. The events of one halt of a real campaign are written again and again there, as that many halts would have.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.build import bulk
from common import copper
from outcome import Outcome
from scale_executors import PLACES, overheads
from scale_growth import Shared, campaign_of, largest_folder, sizes

from acemaker import Campaign
from acemaker.loop.label_files import read_label, write_label
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.states import State
from acemaker.testing import ToyEngine, ToyOracle, halting_at, toy_config

WALKERS, SECONDS, MEGABYTES = 1000, 5.0, 500.0
GROWTH = 2.0
"""At most, from a hundredth of the labels to all of them, of what is done for each."""


def main() -> None:
    """Print the tables, and fail beyond the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=int, nargs="?", default=100_000, help="of the simulated campaign and the store")
    parser.add_argument("--each", type=int, default=12, help="labels made at each place")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES), help="where labels are made")
    parser.add_argument("--fitted", type=int, default=60, help="labels that the trainer takes in")
    given = parser.parse_args()
    outcome = Outcome("From one laptop to a cluster", seeds=(1,))
    labels(outcome, given.each, given.places)
    halts(outcome)
    fits(outcome, given.fitted)
    journal(outcome, given.labels)
    store(outcome, given.labels)
    outcome.finish()


def labels(outcome: Outcome, n_labels: int, places: Sequence[str]) -> None:
    """Tell what a label costs beyond the oracle."""
    outcome.table(
        {"labels made in": "s", "first / s": ".2f", "each further / ms": ".0f"},
        f"What a label costs beyond the oracle: {n_labels} of 32 atoms, one after the other",
    )
    load = os.getloadavg()[0]
    for name, first, each in overheads(n_labels, places):
        outcome.row(name, first, 1e3 * each)
    outcome.note(
        "The first includes what is started for it. An oracle that is a program of its own is run as in the second row "
        f"wherever it is. SLURM runs on this machine, a job at a time. Load at the beginning: {load:.1f}."
    )


def halts(outcome: Outcome) -> None:
    """Tell what a halt costs where nothing has to be computed."""
    engine = ToyEngine(600, halting_at(*range(50, 600, 50)))
    with tempfile.TemporaryDirectory() as folder:
        config = toy_config(n_select=1)
        given = {**config.model_dump(), "engine": {**config.engine.model_dump(), "steps": 600}}
        config = type(config)(**given)
        with Campaign.create(Path(folder) / "campaign", config, engine=engine, oracle=ToyOracle()) as campaign:
            campaign.prepare()
            before = dict(campaign.progress.wall)
            campaign.run()
            n_halts, wall = campaign.progress.halt or 0, campaign.progress.wall
    times = {state: (wall[state] - before.get(state, 0.0)) / n_halts for state in map(str, State) if state in wall}
    outcome.table(
        {"state": "s", "time / ms": ".0f"}, f"A halt of 32 atoms and 12 functions: means of {n_halts}, toys for codes"
    )
    for state, mean in times.items():
        outcome.row(state, 1e3 * mean)
    outcome.row("together", 1e3 * sum(times.values()))


def fits(outcome: Outcome, n_labels: int) -> None:
    """Tell what a label costs the trainer, when it comes and whenever a campaign is opened."""
    oracle, cell = ToyOracle(), bulk("Cu", cubic=True).repeat(3)
    structures: list[Atoms] = []
    for seed in range(n_labels):
        atoms = cell.copy()
        atoms.rattle(0.1, seed=seed)
        structures.append(oracle.label(atoms))
    config = copper().potential
    outcome.table(
        {"labels": "d", "when it comes / ms": ".0f", "at each opening / ms": ".1f", "memory / MB": ".2f"},
        f"The linear trainer takes labels in: {config.n_functions} functions, labels of {len(cell)} atoms",
    )
    for n in (n_labels // 3, n_labels):
        with tempfile.TemporaryDirectory() as name:
            folder, files = Path(name), [Path(name) / "labels" / f"{number}.extxyz" for number in range(n)]
            for file, atoms in zip(files, structures, strict=False):
                write_label(file, atoms)
            groups = [[read_label(file)] for file in files]
            trainer = LinearTrainer(config, ("Cu",), folder)
            started = time.perf_counter()
            trainer.restore(groups)
            comes = (time.perf_counter() - started) / n
            generation = None
            for number in range(2):  # before the second all that was there at the first is kept
                training = trainer.train(
                    groups[0], number=number, directory=folder, predecessor=generation, halted=None, gamma_limit=2.0
                )
                generation = generation or training.generation
            started = time.perf_counter()
            opened = LinearTrainer(config, ("Cu",), folder)
            opened.restore([[read_label(file)] for file in (*files, files[0])], generation)
            opening = (time.perf_counter() - started) / (n + 1)
            tracemalloc.start()
            another = LinearTrainer(config, ("Cu",))
            another.restore(groups)
            outcome.row(n, 1e3 * comes, 1e3 * opening, tracemalloc.get_traced_memory()[0] / 1e6)
            tracemalloc.stop()
    with tempfile.TemporaryDirectory() as name:
        trainer.train([structures[0]], number=1, directory=Path(name), predecessor=None, halted=None, gamma_limit=2.0)
        sizes = [path.stat().st_size for path in Path(name).rglob("*") if path.is_file()]
    outcome.note(f"A generation is {len(sizes)} files of {sum(sizes) / 1e3:.0f} kB together.")


def journal(outcome: Outcome, n_labels: int) -> None:
    """Tell how a campaign grows."""
    outcome.table(
        {
            "labels": "d",
            "walkers": "d",
            "journal / MB": ".1f",
            "open / s": ".2f",
            "memory / MB": ".0f",
            "one event / ms": ".1f",
            "one label noted / ms": ".1f",
            "old checkpoints, first / s": ".2f",
            "then / ms": ".2f",
            "fullest folder": "d",
        },
        "A simulated campaign",
    )
    rows = []
    for n in sizes(n_labels):
        with tempfile.TemporaryDirectory() as folder:
            row = campaign_of(Path(folder) / "campaign", n, WALKERS)
        size, opened, memory, event, noted, first, then = row
        rows.append(row)
        walkers = min(WALKERS, n // 5)
        outcome.row(n, walkers, size, opened, memory, 1e3 * event, 1e3 * noted, first, 1e3 * then, largest_folder(n))
    least, most = rows[0], rows[-1]
    outcome.at_most(f"a journal of {WALKERS:,} walkers and {n_labels:,} labels opens", most[1], SECONDS, "s")
    outcome.at_most("and takes, with 1,000 walkers", most[2], MEGABYTES, "MB")
    outcome.at_most("a label is noted, all labels to a hundredth of them", most[4] / least[4], GROWTH)
    outcome.at_most("files in the fullest folder of labels", largest_folder(n_labels), 10_000)


def store(outcome: Outcome, n_labels: int) -> None:
    """Tell how the store of shared labels grows."""
    outcome.table(
        {
            "labels in the store": "d",
            "found / ms": ".2f",
            "not there / ms": ".2f",
            "kept / ms": ".1f",
            "fullest folder": "d",
        },
        "The store of shared labels, 32 atoms each",
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shared = [Shared(Path(folder) / str(n)) for n in sizes(n_labels)]
        kept = [one.grow(n) for one, n in zip(shared, sizes(n_labels), strict=True)]
        turns = [[one.look_up() for one in shared] for _ in range(5)]
        for place, n in enumerate(sizes(n_labels)):
            found, absent = (statistics.median(turn[place][which] for turn in turns) for which in (0, 1))
            rows.append((found, absent))
            outcome.row(n, 1e3 * found, 1e3 * absent, 1e3 * kept[place], shared[place].folders())
    growth = max(after / before for before, after in zip(rows[0], rows[-1], strict=True))
    outcome.at_most("a label is looked up in the store, all labels to a hundredth of them", growth, GROWTH)


if __name__ == "__main__":
    main()
