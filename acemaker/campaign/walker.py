"""Where one walker of a campaign stands: a trajectory with a clock and restart files of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Walker:
    """What the journal tells of one trajectory.

    Attributes
    ----------
    step : int
        Where its next segment starts, or where it has ended.
    checkpoint : str or None
        The restart file of that step, relative to the campaign's directory.
    frame_halt : int
        The halt before which the frame lies from which the next segment starts; 0 where it starts otherwise.
    ended : bool
        Whether it has reached the requested steps.
    halted : int
        The number of its halt that waits to be healed; 0 for none.
    healed : int
        The number of its halt that was healed last; 0 for none.
    last_halt_step : int
        MD step of its last halt; 0 for none.
    n_segments : int
        That it has explored.
    """

    step: int = 0
    checkpoint: str | None = None
    frame_halt: int = 0
    ended: bool = False
    halted: int = 0
    healed: int = 0
    last_halt_step: int = 0
    n_segments: int = 0
