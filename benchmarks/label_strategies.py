"""How labels are chosen: by acemaker, out of a potential's own run without gamma, and along a true trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from common import SMALL
from own_run import Pick, at_random, every_nth, loop, the_last
from systems import System, reference_frames

from acemaker import Campaign
from acemaker.errors import AcemakerError
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer

ROUNDS, LAST, FRAMES = (2, 2, 4), (1, 1, 1, 1), (2, 4, 8, 16, 32)
"""Labels in each round of an own run, of one that labels the last frame, and in all along a true trajectory."""

WHOLE, SMALLER, TRUE = "acemaker", "acemaker, small cells", "true trajectory, random frames"


@dataclass(frozen=True)
class Result:
    """A potential, what it was trained on, and how that went."""

    labels: Sequence[Atoms]
    generation: Generation | None
    halts: int = 0
    step: int = 0  # that the run reached
    ended: str = "done"


Strategy = Callable[[System, int, Path], Iterator[Result]]


def campaign(system: System, seed: int, folder: Path, *, small: bool) -> Iterator[Result]:
    """Run acemaker."""
    changes = {"max_atoms": system.small, **SMALL} if small else {}
    ended = "done"
    with Campaign.create(folder / "campaign", system.config(seed, **changes), structure=system.start(seed)) as made:
        try:
            made.run()
        except AcemakerError as error:
            ended = f"{type(error).__name__} at step {made.progress.step}: {error}".splitlines()[0]
        yield Result(made.labeled_structures(), made.generation, made.progress.halt or 0, made.progress.step, ended)


def own_run(system: System, seed: int, folder: Path, *, pick: Pick, rounds: tuple[int, ...]) -> Iterator[Result]:
    """Label frames of the potential's own run."""
    for one in loop(system, seed, pick, rounds, folder):
        yield Result(one.labels, one.generation, step=one.step)


def true_frames(system: System, seed: int, folder: Path) -> Iterator[Result]:
    """Train on random frames of another true trajectory over the same ramp."""
    pool = reference_frames(system, seed + 1000)
    order = np.random.default_rng(seed).permutation(len(pool))
    elements = tuple(sorted(set(pool[0].get_chemical_symbols())))
    for number in FRAMES:
        frames = [pool[index] for index in sorted(order[:number])]
        trainer = LinearTrainer(system.config(seed).potential, elements)
        target = folder / str(number)
        target.mkdir()
        training = trainer.train(frames, number=1, directory=target, predecessor=None, halted=None, gamma_limit=2.0)
        yield Result(frames, training.generation)


STRATEGIES: dict[str, tuple[int, Strategy]] = {
    WHOLE: (1, partial(campaign, small=False)),
    TRUE: (len(FRAMES), true_frames),
    "own run, random frames": (len(ROUNDS), partial(own_run, pick=at_random, rounds=ROUNDS)),
    "own run, every N-th frame": (len(ROUNDS), partial(own_run, pick=every_nth, rounds=ROUNDS)),
    "own run, the last frame": (len(LAST), partial(own_run, pick=the_last, rounds=LAST)),
    SMALLER: (1, partial(campaign, small=True)),
}
"""What is compared: how many points each has, and what makes them."""
