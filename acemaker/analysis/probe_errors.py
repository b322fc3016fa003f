"""The probes of a campaign, and the force error over its run that they measure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Error of the potential on one frame of the run that was chosen beforehand.

    Attributes
    ----------
    halt : int
        Number of its halt.
    walker : int
        Number of the walker, from 1.
    step : int
        MD step.
    generation : int
        The potential in use, which was not trained on the frame.
    force_error : float
        Error of this potential, meV/Å, root mean square of the force components.
    force : float
        The forces themselves, meV/Å, root mean square of the components.
    energy_error : float or None
        meV/atom; None if the energy of the label does not count.
    blocks : tuple of float
        Force errors of groups of neighboring atoms, meV/Å.
    left_out : float or None
        Error of the latest potential if it were trained without this frame, meV/Å; None if the trainer cannot tell.
    left_out_blocks : tuple of float
        The same for groups of neighboring atoms.
    pressure_error : float or None
        GPa; None if the label has no stress.
    physical_until : int or None
        Step of the frame that was labeled instead, because atoms came closer than physically possible afterwards
        although gamma was low; None if there was no need.
    """

    halt: int
    walker: int
    step: int
    generation: int
    force_error: float
    force: float
    energy_error: float | None
    blocks: tuple[float, ...]
    left_out: float | None = None
    left_out_blocks: tuple[float, ...] = ()
    pressure_error: float | None = None
    physical_until: int | None = None

    @property
    def latest(self) -> float:
        """Error of the latest potential that was not trained on the frame, meV/Å."""
        return self.force_error if self.left_out is None else self.left_out

    @property
    def variance(self) -> float:
        """Squared standard error of the square of `latest`, from the scatter between the blocks, (meV/Å)^4."""
        squares = np.square(self.blocks if self.left_out is None else self.left_out_blocks)
        return float(np.var(squares, ddof=1) / len(squares)) if len(squares) > 1 else float("nan")


def weights_of(probes: Sequence[Probe], steps: Sequence[int]) -> np.ndarray:
    """Return the share of the runs that each probe represents: half the time to its neighbors.

    Parameters
    ----------
    probes
        The probes.
    steps
        Number of MD steps of each walker's run.

    Returns
    -------
    ndarray, shape (n_probes,)
        The sum over the probes of each walker is the same.

    Examples
    --------
    >>> errors = {"halt": 1, "walker": 1, "generation": 1, "force_error": 1.0, "force": 9.0, "energy_error": None}
    >>> weights_of([Probe(step=step, blocks=(), **errors) for step in (100, 400)], [1000]).tolist()
    [0.25, 0.75]
    """
    weights = np.zeros(len(probes))
    walkers = sorted({probe.walker for probe in probes})
    for walker in walkers:
        own = [index for index, probe in enumerate(probes) if probe.walker == walker]
        own.sort(key=lambda index: probes[index].step)
        at = [probes[index].step for index in own]
        ends = [(first + second) / 2 for first, second in itertools.pairwise(at)]
        edges = np.array([0, *ends, max(steps[walker - 1], at[-1])])
        weights[own] = np.diff(edges) / edges[-1] / len(walkers)
    return weights


def mean_square(probes: Sequence[Probe], weights: np.ndarray) -> float:
    """Return the mean square force error over the run, (meV/Å)^2."""
    return float(weights @ [probe.latest**2 for probe in probes])


def interval_of(probes: Sequence[Probe], weights: np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of the root mean square force error over the run.

    The probes are a sample of the run in which time is stratified: the interval contains the scatter within each of
    them, estimated from groups of neighboring atoms, and no scatter between different times.

    Returns
    -------
    tuple of float, or None
        meV/Å; None if a probe has too few atoms to estimate it.
    """
    from scipy.stats import t

    variance = sum(weight**2 * probe.variance for weight, probe in zip(weights, probes, strict=True))
    freedom = sum(len(probe.blocks) - 1 for probe in probes)
    mean = mean_square(probes, weights)
    if not probes or freedom < 1 or not np.isfinite(variance) or mean <= 0:
        return None
    spread = float(t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance) / mean)
    return float(np.sqrt(mean * np.exp(-spread))), float(np.sqrt(mean * np.exp(spread)))
