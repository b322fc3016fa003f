"""What a campaign needs of an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.engines.halting import Verdict
from acemaker.engines.records import SoftStart, Timeline
from acemaker.potentials.generation import Generation


@dataclass(frozen=True, kw_only=True)
class Check:
    """One look at gamma.

    Attributes
    ----------
    step : int
        The engine's step.
    gamma_max : float
        Largest gamma of the system, dimensionless.
    observables : dict of str to float
        Other quantities; the name ends in the unit.
    """

    step: int
    gamma_max: float
    observables: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A segment to be explored.

    Attributes
    ----------
    number : int
        The segment's number, from 1.
    structure : Atoms
        The initial structure.
    state : Atoms or None
        A frame of an earlier halt, with velocities, to start from where there is no checkpoint; None for
        `structure`.
    start_step : int
        Where the segment starts.
    checkpoint : Path or None
        The restart file of that step; None to start from `state` or `structure`.
    generation : Generation
        The potential to run.
    rule : OTFConfig
        Thresholds and intervals.
    directory : Path
        The segment's own, for checks, checkpoints and trajectory. If it holds a part of this segment
        already, the engine goes on from there.
    on_check : callable or None
        Called with each new `Check`.
    soft_start : bool
        Whether the potential is new to the state from which the segment starts.
    walker : int
        Number, from 1, of the walker that it belongs to; its structure is `structure`.
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

    @property
    def start(self) -> Atoms:
        """The structure to start from where there is no checkpoint."""
        return self.structure if self.state is None else self.state


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """How a segment went.

    Attributes
    ----------
    end_step : int
        The last step.
    timeline : Timeline
        All checks of the segment.
    verdict : Verdict or None
        Why it halted; None if it reached the end.
    frames : tuple of Atoms
        Structures at the last checks with ``arrays["gamma"]`` and ``info["step"]``, the last one at the end.
    safe_step : int
        Step of the newest checkpoint before the exceedance, or the segment's start.
    safe_checkpoint : Path or None
        Its restart file; None where that is the campaign's start.
    halt_checkpoint : Path or None
        Restart file of the halt.
    soft_start : SoftStart or None
        How the segment came over to a new potential, where it did so softly.
    """

    end_step: int
    timeline: Timeline
    verdict: Verdict | None
    frames: tuple[Atoms, ...]
    safe_step: int
    safe_checkpoint: Path | None
    halt_checkpoint: Path | None
    soft_start: SoftStart | None = None


class Engine(Protocol):
    """What runs the exploration; `acemaker.testing.EngineContract` is its contract."""

    def explore(self, request: Request) -> Exploration:
        """Run until the requested steps or a halt.

        Raises
        ------
        EngineError
            If it cannot go on.
        KeyboardInterrupt
            After Ctrl-C, once the engine has stopped cleanly; the segment can be asked for again.
        """

    def close(self) -> None:
        """Free what the engine holds; it may be used again afterwards."""
