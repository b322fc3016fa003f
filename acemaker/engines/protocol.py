"""The interface between a campaign and its engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.engines.halting import HaltDecision
from acemaker.engines.records import SoftStart, Timeline
from acemaker.potentials.generation import Generation
from acemaker.potentials.measures import Measure, column


@dataclass(frozen=True, kw_only=True)
class Check:
    """Gamma and the observables at one step.

    Attributes
    ----------
    step : int
        The engine's step.
    gamma_max : float
        Largest gamma of the system, dimensionless.
    observables : dict of str to float
        Other quantities; each name ends in its unit.
    """

    step: int
    gamma_max: float
    observables: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A segment to explore.

    Attributes
    ----------
    number : int
        Number of the segment, from 1.
    structure : Atoms
        Initial structure. Atoms marked in ``arrays["frozen"]`` must not move, and ``get_masses()`` are the masses.
    state : Atoms or None
        Frame of an earlier halt, with velocities, to start from if there is no checkpoint; None to start from
        `structure`.
    start_step : int
        Step at which the segment starts.
    checkpoint : Path or None
        Restart file of that step; None to start from `state` or `structure`.
    generation : Generation
        Potential to run.
    rule : OTFConfig
        Thresholds and intervals.
    directory : Path
        Directory of the segment, for checks, checkpoints and trajectory. If it already contains a part of this
        segment, the engine continues from there.
    on_check : callable or None
        Called with each new `Check`.
    soft_start : bool
        Whether the potential is new to the state from which the segment starts.
    walker : int
        Number, from 1, of the walker to which the segment belongs; `structure` is the walker's structure.
    probe_step : int or None
        Step from which the first check below ``threshold_call_dft`` ends the segment with a halt of the tier "probe", a
        test of the potential; None for no test. `HaltMonitor` and `SegmentMonitor` apply it.
    measure : Measure or None
        Measure of uncertainty besides gamma; None for gamma alone. `SegmentMonitor` evaluates and records it; another
        engine calls `uncertainty`, and passes the largest value to `HaltMonitor`.
    tolerance : float
        Uncertainty above which a check ends the segment with a halt of the tier "uncertainty", in the unit of
        `measure`.
    """

    number: int
    structure: Atoms
    start_step: int
    checkpoint: Path | None
    generation: Generation
    rule: OTFConfig
    directory: Path
    on_check: Callable[[Check], None] | None = None
    soft_start: bool = False
    state: Atoms | None = None
    walker: int = 1
    probe_step: int | None = None
    measure: Measure | None = None
    tolerance: float = math.inf

    @property
    def start(self) -> Atoms:
        """Structure to start from if there is no checkpoint."""
        return self.structure if self.state is None else self.state

    @property
    def column(self) -> str:
        """Observable of checks with the largest value of `measure`; empty without one."""
        return "" if self.measure is None else column(self.measure)

    def uncertainty(self, step: int, atoms: Atoms) -> np.ndarray | None:
        """Evaluate `measure` if the check of a step is one of those at which it is evaluated.

        Parameters
        ----------
        step
            Step of the check.
        atoms
            Its structure.

        Returns
        -------
        ndarray, shape (n_atoms,), or None
            In the unit of the measure; NaN if the positions are not finite.
        """
        if self.measure is None or step % (self.rule.check_every * self.rule.uncertainty_every):
            return None
        finite = bool(np.isfinite(atoms.positions).all())
        return self.measure.per_atom(atoms) if finite else np.full(len(atoms), np.nan)


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """The outcome of a segment.

    Attributes
    ----------
    end_step : int
        Last step.
    timeline : Timeline
        All checks of the segment.
    decision : HaltDecision or None
        Reason for the halt; None if the segment reached its last step.
    frames : tuple of Atoms
        Structures at the last checks, in order of steps, with ``arrays["gamma"]`` and ``info["step"]``, and
        ``arrays["uncertainty"]`` where the measure was evaluated.
    safe_step : int
        Step of the newest checkpoint before the exceedance, or the start of the segment.
    safe_checkpoint : Path or None
        Restart file of `safe_step`; None if that is the start of the campaign.
    halt_checkpoint : Path or None
        Restart file of the halt.
    soft_start : SoftStart or None
        Record of the soft start; None if there was none.
    """

    end_step: int
    timeline: Timeline
    decision: HaltDecision | None
    frames: tuple[Atoms, ...]
    safe_step: int
    safe_checkpoint: Path | None
    halt_checkpoint: Path | None
    soft_start: SoftStart | None = None


class Engine(Protocol):
    """Runs the exploration; `acemaker.testing.EngineContract` tests an implementation."""

    def explore(self, request: Request) -> Exploration:
        """Run to the last step or to a halt.

        Raises
        ------
        EngineError
            If the engine cannot continue.
        KeyboardInterrupt
            After Ctrl-C, once the engine has stopped cleanly; the segment can be requested again.
        """

    def close(self) -> None:
        """Release the engine's resources; the engine can be used again afterwards."""
