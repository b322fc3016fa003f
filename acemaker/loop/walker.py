"""Where one walker of a campaign stands: a trajectory with a clock and restart files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Walker:
    """What the journal tells of one trajectory.

    Attributes
    ----------
    step : int
        Where its next segment starts, or where it has ended.
    checkpoint : str or None
        The restart file of that step, relative to the campaign's directory; of `last_step` where it has ended.
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
    generation : int
        The potential of its last segment; -1 before the first.
    last_step : int
        From where it goes on if it is given more steps, where it has ended.
    """

    step: int = 0
    checkpoint: str | None = None
    frame_halt: int = 0
    ended: bool = False
    halted: int = 0
    healed: int = 0
    last_halt_step: int = 0
    n_segments: int = 0
    generation: int = -1
    last_step: int = 0

    def after(self, segment: Mapping[str, Any]) -> Walker:
        """Return where it stands once a segment has been explored.

        Parameters
        ----------
        segment
            The event.
        """
        common = {"step": segment["end_step"], "n_segments": self.n_segments + 1, "generation": segment["generation"]}
        if (halt := segment["halt"]) is not None:
            return replace(self, **common, halted=halt["number"], last_halt_step=halt["step"])
        if (last := segment.get("last_checkpoint")) is None:  # nor do older journals say
            return replace(self, **common, ended=True, last_step=segment["start_step"])
        return replace(self, **common, ended=True, last_step=last["step"], checkpoint=last["file"], frame_halt=0)

    def with_more_steps(self) -> Walker:
        """Return where it stands once it is not to end yet."""
        return replace(self, step=self.last_step, ended=False) if self.ended else self
