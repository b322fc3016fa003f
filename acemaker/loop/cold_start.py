"""First structures from the trajectory of a cheap potential, run once before the first label."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms

from acemaker.config import CampaignConfig, OTFConfig
from acemaker.engines.cold_run import FIELD, cheap_potential, check_potential, explore_cold
from acemaker.engines.protocol import Engine
from acemaker.errors import ConfigError, EngineError
from acemaker.formatting.summary import counted
from acemaker.lammps.library import load_lammps
from acemaker.loop.journal import read_events
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.store import Store
from acemaker.oracles.checks import START_PRESSURE, TARGET_PRESSURE
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import LABEL_WEIGHT

logger = logging.getLogger("acemaker")

ORIGIN, EVENT = "cold_start", "cold_start"
"""Value of ``info["origin"]`` of the frames, and the event in the journal."""


@dataclass(frozen=True)
class Run:
    """A trajectory of the cheap potential.

    Attributes
    ----------
    walker : int
        Number, from 1, of the walker whose conditions it has.
    steps : tuple of int
        MD steps of its frames.
    """

    walker: int
    steps: tuple[int, ...]


def check_cold_start(config: CampaignConfig, structures: Sequence[Atoms], n_first: int, engine: Engine | None) -> None:
    """Check that a cold start is possible, before anything is written.

    Parameters
    ----------
    config
        The campaign's configuration.
    structures
        The structure with which each walker starts.
    n_first
        Total number of frames, the sum of `n_per_run`.
    engine
        The user's engine, or None.

    Raises
    ------
    ConfigError
        If the potential is not for these structures, or the structures cannot be labeled as a whole.
    MissingLibraryError
        If a package is missing.
    """
    if not config.system.cold_start:
        return
    if engine is not None:
        raise ConfigError(
            f"{FIELD}: it runs LAMMPS with the settings of EngineConfig, and the campaign has an engine object of its "
            "own, which may run something else; omit one of them"
        )
    for walker in _conditions(config):
        atoms = structures[walker - 1]
        if len(atoms) > config.oracle.max_atoms:
            raise ConfigError(
                f"{FIELD}: its frames are labeled as a whole, and the structure{_of(walker, config)} has {len(atoms)} "
                f"atoms, more than max_atoms={config.oracle.max_atoms}: without gamma there is no way to choose the "
                f"atoms that small cells represent. Set max_atoms={len(atoms)}, use a smaller supercell, or omit "
                "cold_start"
            )
    if (most := max(len(run.steps) for run in planned_runs(config, n_first))) > config.engine.steps:
        raise ConfigError(
            f"{FIELD}: {most} frames need as many MD steps, got steps={config.engine.steps}; increase steps, or reduce "
            "cold_start_frames"
        )
    load_lammps()  # also if the campaign itself runs another LAMMPS
    elements = tuple(sorted(set(structures[0].get_chemical_symbols())))
    potential = cheap_potential(config.system, elements)
    for walker in _conditions(config):
        check_potential(potential, config.system.cold_start, structures[walker - 1])


def n_per_run(config: CampaignConfig, minimum: int) -> list[int]:
    """Return the number of frames of each trajectory.

    Walkers that differ only in their random numbers share one.

    Parameters
    ----------
    config
        The campaign's configuration.
    minimum
        Number of structures like the first walker's that the basis needs, all of which are its own.

    Returns
    -------
    list of int
    """
    n_runs = len(_conditions(config))
    total = max(config.system.cold_start_frames, config.system.n_first, n_runs)
    counts = [total // n_runs + (number < total % n_runs) for number in range(n_runs)]
    return [max(counts[0], minimum), *counts[1:]]


def planned_runs(config: CampaignConfig, n_first: int) -> list[Run]:
    """Return the trajectories, with frames evenly spaced in time, the last one at the last step.

    Parameters
    ----------
    config
        The campaign's configuration.
    n_first
        Total number of frames, the sum of `n_per_run`.

    Returns
    -------
    list of Run

    Examples
    --------
    >>> from acemaker import CampaignConfig
    >>> config = CampaignConfig.from_parameters({"oracle": "emt", "steps": 1000, "cold_start": "emt"})
    >>> planned_runs(config, 4)
    [Run(walker=1, steps=(250, 500, 750, 1000))]
    """
    counts = n_per_run(config, 1)
    counts[0] += n_first - sum(counts)
    steps = config.engine.steps
    return [
        Run(walker, tuple((steps * number) // count for number in range(1, count + 1)))
        for walker, count in zip(_conditions(config), counts, strict=True)
    ]


def run_cold_start(
    journaled: JournaledState, store: Store, starts: Sequence[Atoms], on_wait: Callable[[], None]
) -> None:
    """Put the frames of a cold start in front of the first structures, unless that was done before.

    Whatever was sampled is stored before it is labeled, so that it is sampled only once, also by a potential whose
    results differ from run to run. A run that was killed begins again, with the same random numbers.

    Parameters
    ----------
    journaled
        The journal and its state, before the first label.
    store
        Names of the campaign's files.
    starts
        The structure with which each walker starts.
    on_wait
        Called now and then during a run; may raise an exception to end it.

    Raises
    ------
    EngineError
        If a trajectory stops, or none of its frames has physical distances.
    """
    config, file = journaled.config, store.candidates(None)
    structures = read_structures(file)
    runs = planned_runs(config, journaled.progress.n_first)
    if not _are_there(structures):
        frames = _frames(config, runs, starts, on_wait)
        if not frames:
            raise EngineError(
                f"{FIELD}: no frame of the trajectory of {config.system.cold_start!r} has physical distances: "
                f"{_too_close(config.otf)} in all of them. Choose a potential for this material and these "
                "temperatures, or omit cold_start: Campaign.create(..., exist_ok=True) replaces a campaign that has no "
                "potential yet"
            )
        noted = {key: structures[0].info[key] for key in (START_PRESSURE, TARGET_PRESSURE) if key in structures[0].info}
        for atoms in frames:
            atoms.info |= noted
        structures = write_structures(file, [*frames, *structures])
    if not any(event["event"] == EVENT for event in read_events(store.journal)[0]):
        journaled.append(EVENT, **_event(config, runs, structures))


def _are_there(structures: Sequence[Atoms]) -> bool:
    return bool(structures) and structures[0].info.get("origin") == ORIGIN


def _event(config: CampaignConfig, runs: Sequence[Run], structures: Sequence[Atoms]) -> dict[str, Any]:
    """Return the journal's fields, which follow from the stored structures, also after a kill."""
    taken = [(atoms.info["walker"], atoms.info["step"]) for atoms in structures if _are_there([atoms])]
    planned = [(run.walker, step) for run in runs for step in run.steps]
    return {
        "potential": config.system.cold_start,
        "frames": [{"walker": int(walker), "step": int(step)} for walker, step in taken],
        "left_out": [{"walker": walker, "step": step} for walker, step in planned if (walker, step) not in taken],
    }


def _frames(
    config: CampaignConfig, runs: Sequence[Run], starts: Sequence[Atoms], on_wait: Callable[[], None]
) -> list[Atoms]:
    """Run the trajectories, and return their frames with physical distances, with a line for each tenth of a run."""
    elements = tuple(sorted(set(starts[0].get_chemical_symbols())))
    potential = cheap_potential(config.system, elements)
    n_frames = sum(len(run.steps) for run in runs)
    logger.info(f"cold start: {config.system.cold_start} runs first, for {counted(n_frames, 'frame')} to be labeled")
    taken: list[Atoms] = []
    for run in runs:
        settings, told = config.walker(run.walker), -1

        def progress(step: int, temperature: float, *, of_run: Run = run, total: int = settings.engine.steps) -> None:
            nonlocal told
            on_wait()
            if 10 * step // total > told:
                told = 10 * step // total
                of_walker = f", walker {of_run.walker}" if len(runs) > 1 else ""
                logger.info(f"cold start{of_walker}: step {step:>7} of {total}  temperature {temperature:.0f} K")

        frames = explore_cold(
            potential, starts[run.walker - 1], elements, run.steps, settings.engine, settings.seed, progress=progress
        )
        for atoms in frames:
            close = closeness(atoms)
            of_walker = f"walker {run.walker}, " if len(runs) > 1 else ""
            if close.share < config.otf.min_distance_fraction:
                logger.warning(
                    f"cold start: the frame at {of_walker}step {atoms.info['step']} is not taken: "
                    f"{_too_close(config.otf)} ({close.share:.2f}, {close.distance:.2f} Å), so that the potential does "
                    "not describe this material there. A strained and rattled structure takes its place"
                )
                continue
            atoms.info |= {"origin": ORIGIN, "walker": run.walker, "distance_A": close.distance}
            if config.system.first_weight is not None and config.system.first_weight != 1:
                atoms.info[LABEL_WEIGHT] = config.system.first_weight
            taken.append(atoms)
    return taken


def _too_close(rule: OTFConfig) -> str:
    return (
        f"a pair of atoms is closer than min_distance_fraction={rule.min_distance_fraction:g} of the sum of its "
        "covalent radii"
    )


def _conditions(config: CampaignConfig) -> list[int]:
    """Choose one walker per set of conditions; walkers that differ only in their random numbers share a set."""
    walkers: dict[str, int] = {}
    for number in range(1, config.n_walkers + 1):
        own = config.walker(number)
        walkers.setdefault(own.system.model_dump_json() + own.engine.model_dump_json(), number)
    return list(walkers.values())


def _of(walker: int, config: CampaignConfig) -> str:
    return f" of walker {walker}" if config.n_walkers > 1 else ""
