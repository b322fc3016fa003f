"""What resuming gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Resumption(Record):
    """From where the trajectory goes on, and what the new generation changes there.

    Attributes
    ----------
    mode : {"safe", "halt", "structure"}
        The last safe state, the halt, or a frame without the state of thermostat and barostat.
    step : int
        Where the next segment starts.
    checkpoint : Path or None
        Its restart file; None for the start of the campaign, and for a frame.
    discarded_steps : int
        Steps between there and the halt, which are run again.
    generation : int
        The potential that goes on.
    energy_jump : float
        meV/atom, new minus old generation on the anchor.
    force_change : float
        eV/Å, largest change of a force on the anchor.
    next : State
        ``EXPLORE``; ``HALT`` where another walker's halt is healed first.
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
        """Return what the record says of itself."""
        start = {"safe": "the last safe state", "halt": "the halt", "structure": "positions and velocities alone"}
        return Summary(
            f"Resume at step {self.step} with generation {self.generation}",
            (
                ("from", f"{start[self.mode]}; {self.discarded_steps} steps are run again"),
                ("energy jump on the anchor", f"{number(self.energy_jump)} meV/atom"),
                ("largest force change", f"{number(self.force_change)} eV/Å"),
            ),
        )
