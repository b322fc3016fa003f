"""The result of RESUME."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Resumption(Record):
    """The state from which the trajectory continues, and the change of the potential there.

    Attributes
    ----------
    mode : {"safe", "halt", "structure"}
        The last safe state, the halt, or a frame without the state of thermostat and barostat.
    step : int
        Start of the next segment.
    checkpoint : Path or None
        Its restart file; None for the start of the campaign, and for a frame.
    discarded_steps : int
        Steps from there to the halt, which are run again.
    generation : int
        The potential of the next segment.
    energy_jump : float
        meV/atom, new minus old generation on the halted structure.
    force_change : float
        eV/Å, largest change of a force on the halted structure.
    next : State
        ``EXPLORE``; ``HALT`` if another walker's halt is healed first.
    """

    mode: Literal["safe", "halt", "structure"]
    step: int
    checkpoint: Path | None
    discarded_steps: int
    generation: int
    energy_jump: float
    force_change: float
    next: State = State.EXPLORE

    def summary(self) -> Summary:
        """Return the summary."""
        start = {"safe": "the last safe state", "halt": "the halt", "structure": "positions and velocities only"}
        return Summary(
            f"Resume at step {self.step} with generation {self.generation}",
            (
                ("from", f"{start[self.mode]}; {self.discarded_steps} steps are run again"),
                ("energy jump on the halted structure", f"{number(self.energy_jump)} meV/atom"),
                ("largest force change", f"{number(self.force_change)} eV/Å"),
            ),
        )
