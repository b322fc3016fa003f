"""The measure of uncertainty that halts a campaign besides gamma, and the tolerance that is in force."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.loop.committee import CommitteeWork
from acemaker.loop.progress import Progress
from acemaker.potentials.generation import Generation
from acemaker.potentials.measures import Measure, PredictedForceError, largest
from acemaker.structures.mask import mask_of

TARGETS = 4.0
"""Default tolerance in units of the target, or of the error on the labels of the training set if that is larger: the
error of the worst atom of a structure is about that much larger than the root mean square of all."""

MARGIN = 1.2
"""Factor by which the uncertainty may exceed that of the structure that was labeled last: labels do not lower it
further there, and without a margin the run would halt again at once."""


def measure_of(config: CampaignConfig, generation: Generation, committee: CommitteeWork) -> Measure | None:
    """Return the measure that halts runs of a generation besides gamma.

    Parameters
    ----------
    config
        The campaign's configuration.
    generation
        The potential.
    committee
        Calculators whose forces are compared, if they are the measure.

    Returns
    -------
    Measure or None
        None for gamma alone, also if the generation predicts no force errors.
    """
    if config.otf.uncertainty == "force_error" and generation.error_floor is not None:
        return PredictedForceError(generation)
    return committee.measure(generation)


def tolerance_of(config: CampaignConfig, generation: Generation, training_error: float | None) -> float:
    """Return the configured tolerance of the uncertainty of an atom, meV/Å.

    Parameters
    ----------
    config
        The campaign's configuration.
    generation
        The potential, whose labels define the size of the forces.
    training_error
        Root mean square error of its force components on the labels that it was trained on, meV/Å; None if unknown.

    Returns
    -------
    float
        Infinite if the tolerance depends on the size of the forces, and that is unknown.
    """
    tolerance, target = config.otf.force_error_tolerance, config.convergence.target_force_error
    rms = math.inf if generation.force_rms is None else generation.force_rms
    component = math.sqrt(3.0)  # root mean square of the norm of the force in units of that of a component
    if tolerance is None:
        share = config.convergence.target_share
        good = target if share is None else share * rms
        return TARGETS * component * max(good, training_error or 0.0)  # a basis cannot do better than on its own labels
    return tolerance if tolerance >= 1.0 else tolerance * component * rms


def tolerance_in_force(config: CampaignConfig, progress: Progress, walker: int, generation: Generation) -> float:
    """Return the tolerance of a walker's next segment, meV/Å.

    A tolerance that labels cannot reach would halt the run again and again. It is therefore raised to the uncertainty
    of the structure that was labeled last, by the potential that was trained on it, with a margin.

    Parameters
    ----------
    config
        The campaign's configuration.
    progress
        Its progress.
    walker
        Number of the walker, from 1.
    generation
        The potential.
    """
    learned = MARGIN * (progress.walkers[walker - 1].uncertainty or 0.0)
    return max(tolerance_of(config, generation, progress.training_error), learned)


def largest_uncertainty(measure: Measure | None, atoms: Atoms) -> float | None:
    """Return the largest uncertainty of the unmasked atoms of a structure.

    Parameters
    ----------
    measure
        The measure; None if there is none.
    atoms
        Structure, perhaps with a mask.

    Returns
    -------
    float or None
        In the unit of the measure. None if it is not measured or infinite, as in environments about which the labels
        say nothing, which is no floor.
    """
    if measure is None or not np.isfinite(atoms.positions).all():
        return None
    mask, values = mask_of(atoms), measure.per_atom(atoms)
    value = largest(values if mask is None else values[mask])
    return value if math.isfinite(value) else None
