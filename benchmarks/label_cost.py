"""What labels are worth: python benchmarks/label_cost.py [--all] [--seeds N ...] [--only WORD ...] [--file FILE].

The main job under different settings of what is labeled at a halt. Each campaign is judged by the force error along
an independent trajectory of the oracle, against its number of labels and against what they cost: the sum of atoms
cubed, as in plane-wave codes, in units of one label of the whole cell. Rows that the file holds are not computed
again, so that the long run (--all, five seeds, hours) can be broken off. By default a few settings, one seed, and no
file. The first structures weigh as much as later labels here (first_weight=1), as they did by default when it was run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from common import SMALL, copper
from outcome import Outcome
from rows import append, read_rows
from systems import force_rmse

from acemaker import Campaign
from acemaker.analysis.reference import reference_trajectory
from acemaker.errors import AcemakerError
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.ranking import Ranking

COLUMNS = ("setting", "seed", "halts", "labels", "cost", "force_rmse_meV_per_A", "largest_label", "wall_s", "ended")
STRATEGIES = ("random_displacement", "normal_modes", "md_burst", "strain")
WHOLE, GOAL = "halted structure alone", 6.0  # meV/Å
COMMAND = "python benchmarks/label_cost.py --all --file benchmarks/results/label_cost.csv"
KEY = ("setting", "seed")


@dataclass(frozen=True)
class Setting:
    """One line of the table."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    by_chance: bool = False  # in place of MaxVol, among the same candidates
    frames: int = 0  # of a true trajectory, instead of a campaign
    reduced: bool = False  # whether the short run has it


def settings() -> list[Setting]:
    """List everything that is compared."""
    found = [Setting(WHOLE, {"n_select": 1}, reduced=True)]
    for size in (32, 48, 64, 80):
        changes = {"n_select": 1, "max_atoms": size, **SMALL}
        found.append(Setting(f"embedded, {size} atoms", changes, reduced=size == 48))
    changes = {"n_select": 5, "n_candidates": 15, "max_atoms": 48, **SMALL}
    found.append(Setting("embedded, 48 atoms, 5 random_displacement", changes))
    found += [Setting(f"{n} frames of a true trajectory", frames=n, reduced=n == 8) for n in (2, 4, 8, 16, 32)]
    for n_select in (2, 5, 10):
        for strategy in STRATEGIES:
            changes = {"n_select": n_select, "n_candidates": 15, "strategies": {strategy: 1.0}}
            found.append(Setting(f"whole, {n_select} {strategy}", changes))
            if n_select == 5 and strategy in ("random_displacement", "md_burst"):
                found.append(Setting(f"whole, 5 {strategy}, by chance", changes, by_chance=True))
    return found


class ChanceTrainer(LinearTrainer):
    """Chooses among candidates by chance, the halted structure first."""

    chances = np.random.default_rng(0)

    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Order candidates by chance."""
        ranking = super().rank(structures, n_select, excluded)
        if self.active_set is None:
            return ranking
        order = [*ranking.selected, *ranking.reserve]
        others = [int(index) for index in self.chances.permutation([index for index in order if index])]
        shuffled = ([0] if 0 in order else []) + others
        chosen, left = tuple(shuffled[:n_select]), tuple(shuffled[n_select:])
        return Ranking(
            selected=chosen,
            reserve=left,
            gains=ranking.gains,
            entering=ranking.entering,
            elements=ranking.elements,
        )


def main() -> None:
    """Compute the rows that are missing, and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every setting, five seeds")
    parser.add_argument("--seeds", type=int, nargs="+", help="1 by default, 1 to 5 with --all")
    parser.add_argument("--only", nargs="+", default=[], help="words that a setting's name must contain, all of them")
    parser.add_argument("--file", type=Path, help="where rows are kept")
    given = parser.parse_args()
    chosen = [one for one in settings() if given.all or given.only or one.reduced]
    chosen = [one for one in chosen if all(word in one.name for word in given.only)]
    seeds = given.seeds or ([1, 2, 3, 4, 5] if given.all else [1])
    rows = read_rows(given.file, KEY)
    order = [(setting, seed) for seed in seeds for setting in chosen]
    outcome = Outcome("What labels are worth", seeds)
    print(f"{'setting':42} seed  halts  labels  cost / whole cells  force RMSE / (meV/Å)  wall / s")
    for setting, seed in order:
        if (setting.name, str(seed)) in rows:
            continue
        row = rows[setting.name, str(seed)] = _run(setting, seed)
        append(given.file, row, COMMAND)
        print(
            f"{setting.name:42} {seed:4}  {row['halts']:>5}  {row['labels']:>6}  {row['cost']:>18}  "
            f"{row['force_rmse_meV_per_A']:>20}  {row['wall_s']:>8}  {row['ended']}",
            flush=True,
        )
    _medians(outcome, [row for row in rows.values() if any(row["setting"] == one.name for one in chosen)])
    outcome.finish()


def _run(setting: Setting, seed: int) -> dict[str, str]:
    """Run one campaign, or train on frames of a true trajectory, and judge what came of it."""
    ChanceTrainer.chances = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        ended = "done"
        generation: Generation | None
        if setting.frames:
            halts, labels, generation = 0, *_from_frames(setting.frames, seed, Path(folder))
        else:
            config = copper(seed=seed, first_weight=1.0, **setting.changes)
            factory = partial(ChanceTrainer, config.potential, ("Cu",)) if setting.by_chance else None
            with Campaign.create(Path(folder) / "campaign", config, trainer_factory=factory) as campaign:
                try:
                    campaign.run()
                except AcemakerError as error:
                    ended = f"{type(error).__name__} at step {campaign.progress.step}: {error}".splitlines()[0]
                halts, labels, generation = (
                    campaign.progress.halt or 0,
                    campaign.labeled_structures(),
                    campaign.generation,
                )
        wall = time.perf_counter() - started
        rmse = force_rmse(generation, _truth(seed)) if generation else float("nan")
    sizes = np.array([len(atoms) for atoms in labels])
    cost = (sizes**3).sum() / _whole() ** 3
    figures = (str(halts), str(len(labels)), f"{cost:.3f}", f"{rmse:.3f}", str(sizes.max()), f"{wall:.1f}", ended)
    return dict(zip(COLUMNS, (setting.name, str(seed), *figures), strict=True))


def _from_frames(n_frames: int, seed: int, folder: Path) -> tuple[list[Atoms], Generation]:
    """Train on random frames of another true trajectory over the same ramp."""
    pool = _truth(seed + 1000)
    chosen = np.random.default_rng(seed).choice(len(pool), n_frames, replace=False)
    frames = [pool[index] for index in sorted(chosen)]
    trainer = LinearTrainer(copper().potential, ("Cu",))
    training = trainer.train(frames, number=1, directory=folder, predecessor=None, halted=None, gamma_limit=2.0)
    return frames, training.generation


TRUTHS: dict[int, tuple[Atoms, ...]] = {}


def _truth(seed: int) -> tuple[Atoms, ...]:
    if seed not in TRUTHS:
        TRUTHS[seed] = reference_trajectory(copper(seed=seed), _start())
    return TRUTHS[seed]


def _start() -> Atoms:
    return bulk("Cu", a=3.615, cubic=True).repeat(3)


def _whole() -> int:
    return len(_start())


def _medians(outcome: Outcome, rows: Sequence[dict[str, str]]) -> None:
    """Fill the table, and look for what is good enough for a quarter of the cost."""
    outcome.table(
        {
            "setting": "",
            "seeds": "d",
            "labels": "g",
            "cost / whole cells": ".2f",
            "force RMSE / (meV/Å)": ".2f",
            "least to largest": "",
        },
        "Medians",
    )
    found: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(row["setting"] for row in rows):
        own = [row for row in rows if row["setting"] == name]
        errors = [float(row["force_rmse_meV_per_A"]) for row in own]
        labels, cost = (statistics.median(float(row[column]) for row in own) for column in ("labels", "cost"))
        found[name] = cost, statistics.median(errors)
        outcome.row(name, len(own), labels, cost, found[name][1], f"{min(errors):.2f} to {max(errors):.2f}")
    if WHOLE in found:
        fit_to_oracle = [
            error for name, (cost, error) in found.items() if cost <= found[WHOLE][0] / 4 and "true" not in name
        ]
        least = min(fit_to_oracle, default=float("inf"))
        outcome.at_most("force RMSE for a quarter of the whole cells' cost", least, GOAL, "meV/Å")


if __name__ == "__main__":
    main()
