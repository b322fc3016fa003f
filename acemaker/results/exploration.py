"""The result of EXPLORE: a segment with its checks, and its halt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.engines.records import SoftStart, Tier, Timeline
from acemaker.formatting.figures import Picture, draw, show
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, number
from acemaker.potentials.measures import UNCERTAINTY, largest
from acemaker.results.picked import Picked, pick
from acemaker.states import State


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Halt(Record):
    """The end of a segment due to a large gamma or another uncertainty, or for a probe, which tests the potential.

    Attributes
    ----------
    number : int
        From 1.
    step : int
        Step of the check at which the rule was met.
    tier : {"smooth", "break", "uncertainty", "probe"}
        Too many consecutive checks above ``threshold_call_dft``, one above ``threshold_break``, one at which another
        measure of uncertainty was above its tolerance, or a step that was chosen beforehand to test the potential.
    first_step : int
        First check above the threshold; the step itself for a probe.
    frames : tuple of Atoms
        Structures at the last checks, the halted one at the end, with ``arrays["gamma"]``, and
        ``arrays["uncertainty"]`` where it was evaluated.
    safe_step : int
        Step of the last safe state.
    safe_checkpoint : Path or None
        Its restart file; None for the start of the campaign.
    halt_checkpoint : Path or None
        Restart file of the halt itself; None if the engine could not write one.
    thresholds : tuple of float
        ``threshold_add_train``, ``threshold_call_dft`` and ``threshold_break`` of the rule, dimensionless; empty if
        they are unknown.
    measure : str
        Name of the other measure of uncertainty; empty if there is none.
    tolerance : float or None
        Its tolerance in force, meV/Å; None without a measure.
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
    measure: str = ""
    tolerance: float | None = None

    @property
    def is_probe(self) -> bool:
        """Whether the run was halted to test the potential, with a low gamma."""
        return self.tier == "probe"

    @property
    def epicenter(self) -> np.ndarray:
        """Atoms above the lowest threshold in ascending order, shape (n_epicenter,); empty without thresholds.

        For a halt of the tier "uncertainty", these are the atoms above the tolerance.
        """
        if self.tier == "uncertainty" and self.uncertainty is not None and self.tolerance is not None:
            return np.flatnonzero(~(self.uncertainty <= self.tolerance))
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

    @property
    def uncertainty(self) -> np.ndarray | None:
        """The other measure per atom of the halted structure, meV/Å, shape (n_atoms,); None if it was not evaluated."""
        values: np.ndarray | None = self.structure.arrays.get(UNCERTAINTY)
        return values

    @property
    def cause(self) -> str:
        """Gamma, or what else exceeded its tolerance, in a few words."""
        if self.tier != "uncertainty" or self.uncertainty is None:
            return f"gamma {number(self.gamma.max())}"
        return f"{self.measure.replace('_', ' ')} {number(largest(self.uncertainty))} meV/Å"

    def summary(self) -> Summary:
        """Return the summary."""
        worst = int(self.gamma.argmax())
        conditions = {
            "break": "above threshold_break",
            "smooth": "smooth_steps consecutive checks",
            "uncertainty": "two evaluations above the tolerance, or one far above it",
            "probe": "a test of the potential, chosen before the run",
        }
        measured = []
        if self.uncertainty is not None and self.tolerance is not None:
            atom = int(np.where(np.isnan(self.uncertainty), np.inf, self.uncertainty).argmax())
            measured = [
                (
                    f"{self.measure.replace('_', ' ')}, largest",
                    f"{number(self.uncertainty[atom])} meV/Å, {self.structure.symbols[atom]} atom {atom}; tolerance in "
                    f"force {number(self.tolerance)} meV/Å",
                )
            ]
        return Summary(
            f"Halt {self.number} at step {self.step}",
            (
                ("tier", f"{self.tier} ({conditions[self.tier]})"),
                *([] if self.is_probe else [("exceeded since", f"step {self.first_step}")]),
                (
                    "largest gamma",
                    f"{number(self.gamma[worst])}, {self.structure.symbols[worst]} atom {worst}",
                ),
                *measured,
                ("last safe state", f"step {self.safe_step}"),
                ("structure", f"{self.structure.get_chemical_formula()}, {len(self.frames)} frames stored"),
            ),
        )

    def figure(self) -> Picture:
        """Draw the halted structure, colored by gamma."""
        return draw(self)

    def view(self, viewer: Callable[..., Any] | None = None) -> Any:
        """Show the frames of the halt, with atoms that can be turned and clicked and a slider over the checks.

        Parameters
        ----------
        viewer
            Factory of the viewer, see `acemaker.widgets.viewer.protocol.Viewer`; nglview's if None.

        Returns
        -------
        HaltView or Picture
            A picture if no browser is open, or ``ACEMAKER_DISPLAY`` is ``static``.
        """
        return show(self, viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return the arguments of a viewer: frames, index of the halted one, epicenter and thresholds."""
        return self.frames, len(self.frames) - 1, self.epicenter, tuple(self.thresholds)

    def atom(self, index: int) -> Picked:
        """Return gamma, element, neighbors and bond lengths of one atom, as a click on it does."""
        return pick(self.structure, index, self.epicenter)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Segment(Record):
    """A part of a trajectory that ends with a halt or with the requested steps.

    Attributes
    ----------
    number : int
        From 1.
    generation : int
        Its potential.
    start_step, end_step : int
        MD steps.
    timeline : Timeline
        Its checks.
    halt : Halt or None
        None if the requested steps were reached.
    soft_start : SoftStart or None
        The transition to its potential; None for the first segment, or if it is switched off.
    walker : int or None
        Number, from 1, of its walker; None if there is only one.
    next : State
        ``HALT`` or ``DONE``; ``EXPLORE`` if another walker explores first.
    """

    number: int
    generation: int
    start_step: int
    end_step: int
    timeline: Timeline
    halt: Halt | None
    soft_start: SoftStart | None = None
    walker: int | None = None
    next: State = State.DONE

    def headline(self) -> str:
        """Return a one-line description."""
        of_walker = f" of walker {self.walker}" if self.walker else ""
        if self.halt is None:
            return f"Segment {self.number}{of_walker}: reached step {self.end_step}"
        halt = self.halt
        if halt.is_probe:
            return f"Halt {halt.number} at step {halt.step}{of_walker}: a probe, gamma {number(halt.gamma.max())}"
        return f"Halt {halt.number} at step {halt.step}{of_walker}: {halt.cause} ({halt.tier} tier)"

    def summary(self) -> Summary:
        """Return the summary."""
        end = "reached the requested steps" if self.halt is None else f"halted ({self.halt.tier} tier)"
        items = [
            ("steps", f"{self.start_step} to {self.end_step}: {end}"),
            ("potential", f"generation {self.generation}"),
        ]
        if self.soft_start is not None:
            items += [(f"soft start: {name}", text) for name, text in self.soft_start.summary().items]
        title = f"Segment {self.number}" + (f" of walker {self.walker}" if self.walker else "")
        return Summary(title, (*items, *self.timeline.summary().items[1:]))

    def figure(self) -> Picture:
        """Draw gamma and the observables at the checks, with the halt."""
        return draw(self)
