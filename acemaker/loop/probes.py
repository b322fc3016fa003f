"""Probes: frames of the run that are labeled although gamma is low, as a test of the potential.

Gamma tells whether a structure is new to a potential, not whether the potential is right. Probes are chosen before the
run, evenly in time, so that the errors on them are those of the trajectory and not of its unusual structures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms, units

from acemaker.config import CampaignConfig, EngineConfig
from acemaker.loop.progress import PROBE, Progress
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import energy_counts, mask_of, stress_counts

MOST = 10
"""Maximum number of walkers that each have a probe by default."""

BLOCKS = 8
"""Number of groups of neighboring atoms into which a probe is divided for the uncertainty of its error."""

CLOSE = 0.25
"""Distance of a planned probe from the previous one, as a fraction of their usual distance, below which it is omitted;
also that of an additional probe, after one whose error is above the target."""

MOST_ADDITIONAL = 3
"""Maximum number of additional probes of a walker per planned one."""


def n_probes(config: CampaignConfig) -> int:
    """Return the planned number of probes of a campaign."""
    if config.otf.n_probes is not None:
        return config.otf.n_probes
    return max(2, min(config.n_walkers, MOST))


def planned_probes(config: CampaignConfig, walker: int) -> tuple[int, ...]:
    """Return the steps at which the run of a walker is halted for a probe.

    With as many probes as walkers or more, each walker has the same number of them, and those of different walkers are
    at different times. Otherwise, they are divided evenly among the walkers.

    Parameters
    ----------
    config
        The campaign's configuration.
    walker
        Number of the walker, from 1.

    Returns
    -------
    tuple of int
        Steps in ascending order, each one check after a checkpoint: the run continues from there, so that little has to
        be run again.
    """
    n, n_walkers = n_probes(config), config.n_walkers
    if n >= n_walkers:
        per_walker = -(-n // n_walkers)
        fractions = [(index + walker / n_walkers) / per_walker for index in range(per_walker)]
    else:
        fractions = [index / n for index in range(1, n + 1) if -(-index * n_walkers // n) == walker]
    engine = config.walker(walker).engine
    steps = {_after_checkpoint(fraction, engine, config.otf.check_every) for fraction in fractions}
    return tuple(sorted(step for step in steps if step is not None))


def _after_checkpoint(fraction: float, engine: EngineConfig, check_every: int) -> int | None:
    """Return the step of the check after the checkpoint at a fraction of the run; None if the run is too short."""
    every = engine.restart_every
    checkpoint = round(fraction * engine.steps / every) * every
    while checkpoint > 0 and checkpoint + check_every > engine.steps:
        checkpoint -= every
    return checkpoint + check_every if checkpoint + check_every <= engine.steps else None


def next_probe(config: CampaignConfig, progress: Progress, walker: int) -> int | None:
    """Return the step at which the next segment of a walker is halted for a probe, or None.

    After a probe whose error is above the target, the next one comes soon: the potential needs the labels, and it is
    known sooner whether they have helped. Nothing that the other walkers of a round do has an influence, since these
    may run at the same time.

    Parameters
    ----------
    config
        The campaign's configuration.
    progress
        Its progress.
    walker
        Number of the walker, from 1.
    """
    limit = config.otf.max_labels
    if limit is not None and progress.n_charged >= limit:
        return None
    planned, engine = planned_probes(config, walker), config.walker(walker).engine
    current = progress.walkers[walker - 1]
    if current.probed is None:
        wanted = next(iter(planned), None)
    else:
        distance = CLOSE * engine.steps / max(len(planned), 1)
        wanted = next((step for step in planned if step > current.probed + distance), None)
        own = [event for event in progress.probes if event["walker"] == walker]
        is_poor = bool(own) and is_above_target(config, own[-1])
        if wanted is not None and is_poor and len(own) < len(planned) * (1 + MOST_ADDITIONAL):
            soon = _after_checkpoint((current.probed + distance) / engine.steps, engine, config.otf.check_every)
            wanted = wanted if soon is None or soon <= current.probed else min(soon, wanted)
    if wanted is None or wanted > current.step:
        return wanted
    # the run has resumed beyond it, perhaps from a frame that was labeled, which a probe must not resemble
    later = min(current.step + engine.restart_every, engine.steps - engine.steps % config.otf.check_every)
    return later if later > current.step else None


def is_above_target(config: CampaignConfig, event: Mapping[str, Any]) -> bool:
    """Return whether the error on a probe is above the target; `event` is from `measure`."""
    if "physical_until" in event:
        return True
    share = config.convergence.target_share
    target = config.convergence.target_force_error if share is None else share * event["force"]
    return not event["force_error"] <= target


def measure(label: Atoms, generation: Generation) -> dict[str, Any]:
    """Compare a potential with the label of a probe that it was not trained on.

    Parameters
    ----------
    label
        The labeled structure, with its mask.
    generation
        The potential.

    Returns
    -------
    dict
        Fields of the journal: ``force_error`` and ``force``, the root mean squares of error and label over the force
        components that count, meV/Å; ``blocks``, the same errors for groups of neighboring atoms; ``energy_error``,
        meV/atom, and ``pressure_error``, GPa, or None if energy or stress do not count.
    """
    evaluation = evaluator_of(generation).structure(label)
    pressure = None
    if stress_counts(label) and label.calc is not None and "stress" in label.calc.results:
        difference = evaluation.virial[:3].sum() / label.get_volume() - stress_of(label)[:3].sum()
        pressure = float(-difference / 3 / units.GPa)
    forces, counted = forces_of(label), _counted(label)
    energy = None
    if energy_counts(label):
        reference = sum(generation.reference_energies[symbol] for symbol in label.get_chemical_symbols())
        energy = 1e3 * (evaluation.energy + reference - energy_of(label)) / len(label)
    return {
        "generation": generation.number,
        "force": _root((forces[counted] ** 2).mean(axis=1)),
        "energy_error": energy,
        "pressure_error": pressure,
        **error_fields(label, (evaluation.forces - forces)[counted]),
    }


def error_fields(label: Atoms, errors: np.ndarray) -> dict[str, Any]:
    """Return the fields of the journal for the force errors on a probe.

    Parameters
    ----------
    label
        The labeled structure, with its mask.
    errors : ndarray, shape (n_counted, 3)
        Errors of the forces that count, eV/Å.

    Returns
    -------
    dict
        ``force_error`` and ``blocks``, see `measure`.
    """
    squares = (errors**2).mean(axis=1)
    blocks = _blocks(label.positions[_counted(label)])
    return {"force_error": _root(squares), "blocks": [_root(squares[block]) for block in blocks]}


def _counted(label: Atoms) -> np.ndarray:
    """Return the indices of the atoms whose forces count."""
    mask = mask_of(label)
    return np.arange(len(label)) if mask is None else np.flatnonzero(mask)


def _root(squares: np.ndarray) -> float:
    return 1e3 * float(np.sqrt(squares.mean()))


def _blocks(positions: np.ndarray) -> list[np.ndarray]:
    """Divide atoms into groups of equal size whose atoms are close to each other."""
    groups = [np.arange(len(positions))]
    while len(groups) < BLOCKS and min(map(len, groups)) > 1:
        halves = []
        for group in groups:
            axis = int(np.ptp(positions[group], axis=0).argmax())
            order = group[np.argsort(positions[group, axis], kind="stable")]
            halves += [order[: len(order) // 2], order[len(order) // 2 :]]
        groups = halves
    return groups


def is_probe(halt: Mapping[str, Any]) -> bool:
    """Return whether an event of a halt is that of a probe."""
    return bool(halt.get("tier") == PROBE)
