"""What the parts of the loop buy: python benchmarks/ablations.py [--all] [--seeds N ...] [--only WORD ...].

The main job without one part at a time: the soft start after a new potential, the smoothing of halts (three checks in a
row), going back to the last safe state, the low weight of the first structures in the fit, the label of the halted
structure itself, and, where small cells are labeled, the masks that leave the atoms near their seams out. What the
configuration cannot switch off is switched off here.

Rows that a file holds (--file FILE) are not computed again. By default one seed of those that take little, and no file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from common import SMALL, copper
from outcome import Outcome
from rows import Row, append, read_rows
from systems import SYSTEMS, force_rmse, reference_frames

from acemaker import Campaign
from acemaker.analysis import campaign_summary
from acemaker.errors import AcemakerError
from acemaker.lammps.script import ramp_temperature
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.ranking import Ranking
from acemaker.results import Training
from acemaker.structures.grading import Grading
from acemaker.structures.mask import ENERGY_COUNTS, MASK, STRESS_COUNTS

COMMAND = "python benchmarks/ablations.py --all --file benchmarks/results/ablations.csv"
KEY = ("without", "seed")
AFTER = 100
"""Steps after a resume over which the temperature is averaged."""


class AnchorLast(LinearTrainer):
    """Labels the halted structure only when nothing else is left."""

    def rank(self, structures: Sequence[Atoms], n_select: int, excluded: Sequence[int] = ()) -> Ranking:
        """Order candidates by what they would teach, without the halted structure."""
        if self.active_set is None:  # the first structures: there is no halted structure among them
            return super().rank(structures, n_select, excluded)
        others = super().rank(structures, n_select, [*excluded, 0])
        return others if others.selected else super().rank(structures, n_select, excluded)


class AnchorUnseen(AnchorLast):
    """Nor does the guard ask what the new potential knows of it."""

    def train(self, structures: Sequence[Atoms], **arguments: Any) -> Training:
        """Train without a halted structure."""
        return super().train(structures, **{**arguments, "halted": None})


class Unmasked(LinearTrainer):
    """Learns from every atom of a small cell, and from its energy and stress."""

    def train(self, structures: Sequence[Atoms], **arguments: Any) -> Training:
        """Train on whole cells."""
        halted = arguments["halted"]
        bare = None if halted is None else _bare(halted)
        return super().train([_bare(atoms) for atoms in structures], **{**arguments, "halted": bare})

    def restore(self, groups: Sequence[Sequence[Atoms]], *arguments: Any) -> None:
        """Take in whole cells."""
        super().restore([[_bare(atoms) for atoms in group] for group in groups], *arguments)

    def rank(self, structures: Sequence[Atoms], *arguments: Any) -> Ranking:
        """Rank whole cells, and leave open which atoms decide: the campaign numbers those that its masks count."""
        ranking = super().rank([_bare(atoms) for atoms in structures], *arguments)
        return replace(ranking, entering=(None,) * len(structures))

    def grade(self, structures: Sequence[Atoms]) -> Grading:
        """Grade whole cells."""
        return super().grade([_bare(atoms) for atoms in structures])


def _bare(atoms: Atoms) -> Atoms:
    """Return a copy without its mask, its labels included."""
    bare = atoms.copy()
    bare.calc = atoms.calc
    bare.arrays.pop(MASK, None)
    for name in (ENERGY_COUNTS, STRESS_COUNTS):
        bare.info.pop(name, None)
    return bare


@dataclass(frozen=True)
class Ablation:
    """One line of the table."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    trainer: Callable[..., LinearTrainer] | None = None
    reduced: bool = False  # whether the short run has it


EMBEDDED = {"max_atoms": 48, "steps": 2000, **SMALL}
"""Small cells take many halts: the same ramp in half the steps, compared along the whole job's reference trajectory."""

ABLATIONS = (
    Ablation("nothing left out", reduced=True),
    Ablation("soft start", {"soft_start_steps": 0}, reduced=True),
    Ablation("smoothing", {"smooth_steps": 1}, reduced=True),
    Ablation("rewinding", {"resume_from": "halt"}, reduced=True),
    Ablation("first structures' low weight", {"first_weight": 1.0}, reduced=True),
    Ablation("halted structure's label", {"max_retries": 8}, AnchorLast),
    Ablation("halted structure's label, and the guard on it", {}, AnchorUnseen),
    Ablation("nothing left out, cells of 48 atoms", EMBEDDED),
    Ablation("masks, cells of 48 atoms", EMBEDDED, Unmasked),
)
"""The best other candidate is labeled instead of the halted structure, and more until the guard accepts the fit."""


def main() -> None:
    """Compute the rows that are missing, and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every part, five seeds")
    parser.add_argument("--seeds", type=int, nargs="+", help="1 by default, 1 to 5 with --all")
    parser.add_argument("--only", nargs="+", default=[], help="words that a part's name must contain, all of them")
    parser.add_argument("--file", type=Path, help="where rows are kept")
    given = parser.parse_args()
    chosen = [one for one in ABLATIONS if given.all or given.only or one.reduced]
    chosen = [one for one in chosen if all(word in one.name for word in given.only)]
    seeds = given.seeds or ([1, 2, 3, 4, 5] if given.all else [1])
    rows = read_rows(given.file, KEY)
    outcome = Outcome("What the parts of the loop buy", seeds)
    for seed, ablation in product(seeds, chosen):
        if (ablation.name, str(seed)) not in rows:
            rows[ablation.name, str(seed)] = row = _run(ablation, seed)
            append(given.file, row, COMMAND)
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    summarize(outcome, [row for row in rows.values() if int(row["seed"]) in seeds], [one.name for one in chosen])
    outcome.finish()


def _run(ablation: Ablation, seed: int) -> Row:
    """Run one campaign and judge it."""
    config = copper(seed=seed, **ablation.changes)
    factory = partial(ablation.trainer, config.potential, ("Cu",)) if ablation.trainer else None
    with tempfile.TemporaryDirectory() as folder:
        with Campaign.create(Path(folder) / "campaign", config, trainer_factory=factory) as campaign:
            ended = "done"
            try:
                campaign.run()
            except AcemakerError as error:
                ended = f"{type(error).__name__} at step {campaign.progress.step}: {error}".splitlines()[0]
            values = campaign_summary(campaign).values
            sizes = np.array([len(atoms) for atoms in campaign.labeled_structures()])
            generation, whole, hot = campaign.generation, len(campaign.initial_structure()), _heat(campaign)
        rmse = force_rmse(generation, reference_frames(SYSTEMS[0], seed)) if generation else float("nan")
    return {
        "without": ablation.name,
        "seed": str(seed),
        "halts": str(values["halts"]),
        "labels": str(len(sizes)),
        "cost": f"{(sizes**3).sum() / whole**3:.3f}",
        "steps_run_again": str(values["steps_run_again"]),
        "soft_start_steps": str(values["soft_start_steps"]),
        "heat_K": f"{hot:.1f}",
        "force_rmse_meV_per_A": f"{rmse:.3f}",
        "step": str(values["steps"]),
        "wall_s": f"{values['wall_s']:.1f}",
        "ended": ended,
    }


def _heat(campaign: Campaign) -> float:
    """Return how far above its ramp the temperature is after a resume, the largest of all means, K; 0 without one."""
    means = []
    for segment in campaign.segments()[1:]:
        steps = segment.timeline.step
        early = steps <= segment.start_step + AFTER
        target = np.array([ramp_temperature(campaign.config.engine, int(step)) for step in steps[early]])
        if early.any():
            means.append(float(np.mean(segment.timeline.observables["temperature_K"][early] - target)))
    return max(means, default=0.0)


def summarize(outcome: Outcome, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Fill the table."""
    columns = {
        "labels": ("labels", "g"),
        "cost": ("cost / whole cells", ".2f"),
        "halts": ("halts", "g"),
        "steps_run_again": ("steps run again", "g"),
        "soft_start_steps": ("steps of soft starts", "g"),
        "heat_K": ("hottest resume / K", ".0f"),
        "force_rmse_meV_per_A": ("force RMSE / (meV/Å)", ".2f"),
    }
    heads = dict(columns.values())
    outcome.table(
        {"without": "", "seeds": "d", "at the end": "d", **heads, "least to largest": ""},
        "The main job without one part at a time, medians over the seeds; the hottest resume is the largest excess of "
        f"the temperature over its ramp in the first {AFTER} steps after one",
    )
    for name in names:
        own = [row for row in rows if row["without"] == name]
        if own:
            middle = [statistics.median(float(row[column]) for row in own) for column in columns]
            errors = [float(row["force_rmse_meV_per_A"]) for row in own]
            done = sum(row["ended"] == "done" for row in own)
            outcome.row(name, len(own), done, *middle, f"{min(errors):.2f} to {max(errors):.2f}")


if __name__ == "__main__":
    main()
