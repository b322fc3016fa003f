"""Labels without gamma: a potential runs the whole trajectory, frames of its run are labeled, it is trained again.

The loop that people write who have no measure of uncertainty. It starts from the same first labels as a campaign of the
same seed. Frames that the oracle refuses (atoms that touch, absurd forces) are passed over and cost nothing.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from systems import System

from acemaker.config import CampaignConfig, OTFConfig
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Check, Request
from acemaker.engines.segment_log import SegmentLog, read_trajectory
from acemaker.errors import AcemakerError, OracleError
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.process import make_oracle
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.initial import first_structures, first_weight
from acemaker.structures.mask import with_mask_of

NEVER = 1e300
"""A threshold that no gamma exceeds; only one that is no number halts."""

ABSURD = 20.0
"""Times the ramp's highest temperature: a run that is hotter has exploded, and what follows only takes time."""

Pick = Callable[[int, int, np.random.Generator], list[int]]


@dataclass(frozen=True)
class Round:
    """Where a loop stands after a round.

    Attributes
    ----------
    labels : list of Atoms
        All so far, the first ones included.
    generation : Generation
        The potential that was trained on them.
    step : int
        How far the run came whose frames were labeled last.
    """

    labels: list[Atoms]
    generation: Generation
    step: int


def at_random(n_frames: int, _: int, rng: np.random.Generator) -> list[int]:
    """Order frames by chance."""
    return [int(index) for index in rng.permutation(n_frames)]


def every_nth(n_frames: int, wanted: int, _: np.random.Generator) -> list[int]:
    """Take every N-th frame, the last of them at the end."""
    return [int(index) for index in np.unique(np.linspace(-1, n_frames - 1, wanted + 1)[1:].astype(int))]


def the_last(n_frames: int, _: int, __: np.random.Generator) -> list[int]:
    """Begin with the last frame; those before it are for the case that the oracle refuses it."""
    return list(range(n_frames))[::-1]


def loop(system: System, seed: int, pick: Pick, rounds: tuple[int, ...], folder: Path) -> Iterator[Round]:
    """Run, label, train, and begin again.

    Parameters
    ----------
    system
        What runs.
    seed
        Of the first labels, as in a campaign; each round's velocities have their own.
    pick
        Orders the frames of a run: those to label come first.
    rounds
        How many to label in each.
    folder
        For the potentials.
    """
    config, start = system.config(seed), system.start(seed)
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    rng = np.random.default_rng([seed, 77])
    trainer, oracle = LinearTrainer(config.potential, elements), make_oracle(config.oracle, elements)
    first = max(config.system.n_first, trainer.minimum_structures(start))
    weight = first_weight(config.system, config.potential, start, start)
    made = first_structures(start, config.system, first, np.random.default_rng([seed, 2]), first, weight)[:first]
    labels = [with_mask_of(atoms, oracle.label(atoms)) for atoms in made]  # with their weight
    generation = _train(trainer, labels, 0, folder)
    for number, wanted in enumerate(rounds, 1):
        run = _first_run if number == 1 else functools.partial(_run, number=number)
        frames, step = run(system, seed, generation)
        order = pick(len(frames), wanted, rng) if frames else []  # a run may explode before its first frame
        new = _label(oracle, [frames[index] for index in order], wanted)
        if new:
            generation = _train(trainer, new, number, folder)
        labels = labels + new
        yield Round(labels, generation, step)


def _label(oracle: Oracle, frames: Sequence[Atoms], wanted: int) -> list[Atoms]:
    """Label the first frames that the oracle takes."""
    labels: list[Atoms] = []
    for atoms in frames:
        if len(labels) < wanted:
            with contextlib.suppress(OracleError):
                labels.append(oracle.label(atoms))
    return labels


def _train(trainer: LinearTrainer, labels: list[Atoms], number: int, folder: Path) -> Generation:
    """Train on new labels beside the old ones, and compare with no predecessor: there is nothing to reject."""
    training = trainer.train(
        labels, number=number, directory=folder, predecessor=None, halted=None, gamma_limit=float("inf")
    )
    if not training.accepted:
        raise AcemakerError(training.reason)
    return training.generation


FIRST: dict[tuple[str, int], tuple[list[Atoms], int]] = {}
"""Frames of generation 1's own run, and how far it came, by system and seed."""


def _first_run(system: System, seed: int, generation: Generation) -> tuple[list[Atoms], int]:
    """Run generation 1, which is the same for all loops of a seed."""
    if (system.name, seed) not in FIRST:
        FIRST[system.name, seed] = _run(system, seed, generation, number=1)
    return FIRST[system.name, seed]


def _run(system: System, seed: int, generation: Generation, *, number: int) -> tuple[list[Atoms], int]:
    """Run without halts; return the frames there are, and the step that was reached."""
    config = system.config(seed + 100 * (number - 1), restart_every=system.config(seed).engine.steps)
    engine = make_engine(config.engine, config.seed)
    rule = OTFConfig(threshold_add_train=NEVER, threshold_call_dft=NEVER, threshold_break=NEVER)
    with tempfile.TemporaryDirectory() as scratch:
        request = Request(
            number=1,
            structure=system.start(seed),
            start_step=0,
            checkpoint=None,
            generation=generation,
            rule=rule,
            directory=Path(scratch),
            on_check=functools.partial(_watch, config),
        )
        try:
            step = engine.explore(request).end_step
        except (AcemakerError, FloatingPointError):  # it exploded, as such runs do
            timeline = SegmentLog(Path(scratch)).timeline()
            step = int(timeline.step[-1]) if len(timeline.step) else 0
        finally:
            engine.close()
        file = SegmentLog(Path(scratch)).trajectory
        frames = read_trajectory(file) if file.exists() else []
    for atoms in frames:
        atoms.wrap()
    return [atoms for atoms in frames if atoms.info["step"] > 0], step


def _watch(config: CampaignConfig, check: Check) -> None:
    temperature = check.observables["temperature_K"]
    if not temperature < ABSURD * max(config.engine.temperature):
        raise FloatingPointError(f"{temperature:.0f} K at step {check.step}")
