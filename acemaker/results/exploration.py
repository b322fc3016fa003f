"""What exploring gives: the timeline of gamma, the halt, and the segment that holds both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms

from acemaker.display.summary import Summary, number, observable
from acemaker.results.record import Record
from acemaker.states import State

if TYPE_CHECKING:
    from acemaker.display.picture import Picture
    from acemaker.display.viewer.picked import Picked
    from acemaker.display.viewer.protocol import ViewerFactory
    from acemaker.display.viewer.view import HaltView

Tier = Literal["smooth", "break"]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Timeline(Record):
    """Gamma and observables at the checks of one or more segments.

    Attributes
    ----------
    step : ndarray of int, shape (n_checks,)
        Engine steps.
    gamma_max : ndarray, shape (n_checks,)
        Largest gamma of the system, dimensionless.
    observables : mapping of str to ndarray, shape (n_checks,)
        Other quantities; the name ends in the unit (``temperature_K``).
    """

    step: np.ndarray
    gamma_max: np.ndarray
    observables: Mapping[str, np.ndarray]

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        if not len(self.step):
            return Summary("Timeline: no checks")
        items = [
            ("steps", f"{self.step[0]} to {self.step[-1]}"),
            ("gamma, largest", number(self.gamma_max.max())),
        ]
        for name, values in self.observables.items():
            what, unit = observable(name)
            items.append((what, f"{number(values[0])} → {number(values[-1])} {unit}".rstrip()))
        return Summary(f"Timeline: {len(self.step)} checks", tuple(items))


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
        from acemaker.display.structure import structure_figure

        return structure_figure(self.structure, self.gamma, self.epicentre, self.thresholds)

    def view(self, viewer: ViewerFactory | None = None) -> HaltView | Picture:
        """Look into the halt: atoms that can be turned and clicked, and a slider over the checks before it.

        Parameters
        ----------
        viewer
            Makes what draws, see `acemaker.display.viewer.protocol.Viewer`; nglview's if None.

        Returns
        -------
        HaltView or Picture
            A picture where nobody watches, or ``ACEMAKER_DISPLAY`` is ``static``.
        """
        from acemaker.display.viewer.choice import view

        return view(*self.frames_to_view(), viewer)

    def frames_to_view(self) -> tuple[tuple[Atoms, ...], int, np.ndarray, tuple[float, ...]]:
        """Return what a viewer needs: frames, which of them is the halted one, the epicentre and the thresholds."""
        return self.frames, len(self.frames) - 1, self.epicentre, tuple(self.thresholds)

    def atom(self, index: int) -> Picked:
        """Tell gamma, element, neighbours and bond lengths of one atom, as a click on it does."""
        from acemaker.display.viewer.picked import pick

        return pick(self.structure, index, self.epicentre)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SoftStart(Record):
    """How a trajectory was led over to a new potential, before it went on.

    Attributes
    ----------
    start_step : int
        The production step before and after it; its own steps do not count.
    steps : int
        Of strong damping.
    temperature_target : float
        K, of the ramp at `start_step`.
    temperature_before, temperature_highest, temperature_after : float
        K, at its first step, at the hottest of its checks and at its last step.
    heat_removed : float
        eV, taken out of the system by the damping; negative if it had to be heated.
    gamma_max : float
        Largest gamma at its checks, dimensionless.
    """

    start_step: int
    steps: int
    temperature_target: float
    temperature_before: float
    temperature_highest: float
    temperature_after: float
    heat_removed: float
    gamma_max: float

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        temperatures = (self.temperature_before, self.temperature_highest, self.temperature_after)
        before, highest, after = (number(value) for value in temperatures)
        return Summary(
            f"Soft start at step {self.start_step}",
            (
                ("steps of strong damping", f"{self.steps}, towards {number(self.temperature_target)} K"),
                ("temperature", f"{before} K before, {highest} K at most, {after} K after"),
                ("heat removed", f"{number(self.heat_removed)} eV"),
                ("gamma, largest", number(self.gamma_max)),
            ),
        )


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
