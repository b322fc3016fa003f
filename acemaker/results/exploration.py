"""What exploring gives: the timeline of gamma, the halt, and the segment that holds both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from acemaker.engines.records import SoftStart, Tier, Timeline
from acemaker.formatting.figures import Picture, draw, show
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.results.picked import Picked, pick
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.results.picked import Picked


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Halt(Record):
    """The moment at which a segment was stopped for uncertainty.

    Attributes
    ----------
    number : int
        From 1.
    step : int
        The check at which the rule was fulfilled.
    tier : {"smooth", "break"}
        Too many checks in a row, or one above the break threshold.
    first_step : int
        First check of the exceedance.
    frames : tuple of Atoms
        Structures at the last checks, the halted one at the end; ``arrays["gamma"]`` per atom.
    safe_step : int
        Step of the last safe state.
    safe_checkpoint : Path or None
        Its restart file; None for the start of the campaign.
    halt_checkpoint : Path or None
        Restart file of the halt itself, where the engine could write one.
    thresholds : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break`` of the rule that halted,
        dimensionless; empty where a journal does not tell.
    """

    number: int
    step: int
    tier: Tier
    first_step: int
    frames: tuple[Atoms, ...]
    safe_step: int
    safe_checkpoint: Path | None
    halt_checkpoint: Path | None
    thresholds: tuple[float, ...] = ()

    @property
    def epicentre(self) -> np.ndarray:
        """Atoms above the lowest threshold, as far as that is known; shape (n_epicentre,), in ascending order."""
        above: np.ndarray = np.flatnonzero(~(self.gamma <= min(self.thresholds, default=np.inf)))
        return above

    @property
    def structure(self) -> Atoms:
        """The halted structure."""
        return self.frames[-1]

    @property
    def gamma(self) -> np.ndarray:
        """Gamma per atom of the halted structure, shape (n_atoms,), dimensionless."""
        values: np.ndarray = self.structure.arrays["gamma"]
        return values

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        worst = int(self.gamma.argmax())
        why = "above threshold_break" if self.tier == "break" else "smooth_steps checks in a row"
        return Summary(
            f"Halt {self.number} at step {self.step}",
            (
                ("tier", f"{self.tier} ({why})"),
                ("exceeded since", f"step {self.first_step}"),
                (
                    "largest gamma",
                    f"{number(self.gamma[worst])}, {self.structure.symbols[worst]} atom {worst}",
                ),
                ("last safe state", f"step {self.safe_step}"),
                ("structure", f"{self.structure.get_chemical_formula()}, {len(self.frames)} frames kept"),
            ),
        )

    def figure(self) -> Picture:
        """Draw the halted structure, coloured by gamma."""
        return draw(self)

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Look into the halt: atoms that can be turned and clicked, and a slider over the checks before it.

        Parameters
        ----------
        viewer
            Makes what draws, see `acemaker.widgets.viewer.protocol.Viewer`; nglview's if None.

        Returns
        -------
        HaltView or Picture
            A picture where nobody watches, or ``ACEMAKER_DISPLAY`` is ``static``.
        """
        return show(self, viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return what a viewer needs: frames, which of them is the halted one, the epicentre and the thresholds."""
        return self.frames, len(self.frames) - 1, self.epicentre, tuple(self.thresholds)

    def atom(self, index: int) -> Picked:
        """Tell gamma, element, neighbours and bond lengths of one atom, as a click on it does."""
        return pick(self.structure, index, self.epicentre)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Segment(Record):
    """A stretch of exploration between two halts.

    Attributes
    ----------
    number : int
        From 1.
    generation : int
        The potential that ran it.
    start_step, end_step : int
        Engine steps.
    timeline : Timeline
        Its checks.
    halt : Halt or None
        None when the requested steps were reached.
    soft_start : SoftStart or None
        How it came over to its potential; None for the first segment, or where that was switched off.
    walker : int
        Number, from 1, of the walker that it belongs to; 0 where there is only one.
    next : State
        ``HALT`` or ``DONE``; ``EXPLORE`` where another walker has its segment first.
    """

    number: int
    generation: int
    start_step: int
    end_step: int
    timeline: Timeline
    halt: Halt | None
    soft_start: SoftStart | None = None
    walker: int = 0
    next: State = State.DONE

    def headline(self) -> str:
        """Say it in one line."""
        of = f" of walker {self.walker}" if self.walker else ""
        if self.halt is None:
            return f"Segment {self.number}{of}: reached step {self.end_step}"
        halt = self.halt
        return f"Halt {halt.number} at step {halt.step}{of}: gamma {number(halt.gamma.max())} ({halt.tier} tier)"

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        end = "reached the requested steps" if self.halt is None else f"halted ({self.halt.tier} tier)"
        items = [
            ("steps", f"{self.start_step} to {self.end_step}: {end}"),
            ("potential", f"generation {self.generation}"),
        ]
        if self.soft_start is not None:
            items += [(f"soft start: {name}", text) for name, text in self.soft_start.summary().items]
        title = f"Segment {self.number}" + (f" of walker {self.walker}" if self.walker else "")
        return Summary(title, (*items, *self.timeline.summary().items[1:]))
