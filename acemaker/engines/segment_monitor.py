"""Monitoring of a segment, common to both engines: records checks, stores frames, applies the halting rule."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.engines.course import BLEW_UP, Course, Departure, runaway
from acemaker.engines.halting import HaltDecision, HaltMonitor
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.records import SoftStart
from acemaker.engines.segment_log import SegmentLog
from acemaker.formatting.record import frozen
from acemaker.lammps import script
from acemaker.lammps.box import ANGSTROM_PER_PS
from acemaker.potentials.measures import UNCERTAINTY, grade, largest
from acemaker.structures.geometry import put_into_box
from acemaker.structures.per_atom import with_per_atom

MAX_FRAMES = 20
"""Number of checks whose structures are stored in memory, to be inspected after a halt."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """State of the atoms and gamma at a check, with the atoms in the order of the campaign's initial structure.

    Attributes
    ----------
    step : int
        The engine's step.
    positions : ndarray, shape (n_atoms, 3)
        Å, relative to the origin of the box if it is periodic.
    images : ndarray of int, shape (n_atoms, 3)
        Number of cells that each atom has crossed.
    velocities : ndarray, shape (n_atoms, 3)
        Å/ps.
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grade; NaN if the forces are not finite. Empty if the engine does not provide it: the monitor
        computes it from the coordinates.
    uncertainty : ndarray, shape (n_atoms,), or None
        Another measure; None if it was not evaluated at this check.
    """

    step: int
    positions: np.ndarray
    images: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    gamma: np.ndarray
    uncertainty: np.ndarray | None = None


class SegmentMonitor:
    """Monitors one segment, frame by frame.

    Parameters
    ----------
    request
        Segment.
    log
        Files of the segment; the halting rule is applied to the checks in them first.
    trajectory_every
        MD steps between frames of the trajectory; 0 for none.
    config
        Settings of the run, if its observables are compared with their course; None if they are not.

    Attributes
    ----------
    request : Request
        Segment.
    decision : HaltDecision or None
        Reason for the halt; None while the segment may continue.
    last_step : int
        Step of the last check; -1 before the first.
    """

    def __init__(
        self, request: Request, log: SegmentLog, trajectory_every: int, config: EngineConfig | None = None
    ) -> None:
        self.request = request
        self._log = log
        self._trajectory_every = trajectory_every
        self._periodic = bool(request.structure.pbc.all())
        energies = request.generation.reference_energies
        self._reference = sum(energies[symbol] for symbol in request.structure.get_chemical_symbols())
        self._few_neighbors = request.generation.few_neighbors
        self._monitor = HaltMonitor(request.rule, request.probe_step, request.tolerance)
        self.decision: HaltDecision | None = None
        self._config = config if config is not None and config.check_course else None
        self._course = None if self._config is None else Course(self._config, request.structure)
        log.replay(self._monitor, request.column)
        for check in log.checks:
            self._follow_course(check)
        self.last_step = log.checks[-1].step if log.checks else -1
        self._pending: tuple[int, float, float] | None = None
        self._frames: deque[Frame] = deque(maxlen=MAX_FRAMES)

    @property
    def pending(self) -> int | None:
        """Step of a check whose observables are not known yet; None if there is none."""
        return None if self._pending is None else self._pending[0]

    def save_soft_start(self, soft_start: SoftStart) -> None:
        """Save the record of the soft start."""
        self._log.write_soft_start(soft_start)

    def add_frame(self, frame: Frame) -> HaltDecision | None:
        """Add a frame, and apply the halting rule unless its step was checked before.

        Returns
        -------
        HaltDecision or None
            None while the run may continue.
        """
        is_new = frame.step > self.last_step
        if is_new or not self._frames or self._frames[-1].step < frame.step:
            frame = self.graded(frame)
        if is_new:
            frame = self._with_uncertainty(frame)
        if not self._frames or self._frames[-1].step < frame.step:
            self._frames.append(frame)
        if not is_new:
            return None  # the step of a checkpoint occurs twice: at the end of a stretch and in the setup of the next
        self.last_step = frame.step
        gamma_max = float(frame.gamma.max())
        uncertainty = math.nan if frame.uncertainty is None else largest(frame.uncertainty)
        self._pending = (frame.step, gamma_max, uncertainty)
        if self._trajectory_every and frame.step % self._trajectory_every == 0:
            self._log.append_frame(self._atoms(frame, unwrapped=True))
        self.decision = self._monitor.update(frame.step, gamma_max, uncertainty)
        return self.decision

    def graded(self, frame: Frame) -> Frame:
        """Return a frame with gamma, whatever engine it is from.

        Gamma is computed from the coordinates if the engine does not provide it, and it is infinite for atoms with too
        few neighbors.
        """
        gamma = frame.gamma
        if not len(gamma):
            gamma = grade(self.request.generation, self._bare_atoms(frame))
        if self._few_neighbors.limits:
            gamma = self._few_neighbors.applied(self._bare_atoms(frame), gamma)
        return frame if gamma is frame.gamma else replace(frame, gamma=gamma)

    def _with_uncertainty(self, frame: Frame) -> Frame:
        """Return a frame with the measure of uncertainty, if this is one of the checks at which it is evaluated."""
        values = self.request.uncertainty(frame.step, self._bare_atoms(frame))
        return frame if values is None else replace(frame, uncertainty=values)

    def _bare_atoms(self, frame: Frame) -> Atoms:
        """Return elements, positions and cell of a frame."""
        start = self.request.structure
        return Atoms(start.symbols, frame.positions, cell=frame.cell if self._periodic else None, pbc=start.pbc)

    def record_soft_start_break(self, frames: Iterable[Frame], step: int) -> None:
        """Record a break in the soft start as the first and only check of the segment.

        Parameters
        ----------
        frames
            Frames of the soft start, ending with the break; they become the frames of the halt.
        step
            Production step from which the segment would have continued.
        """
        self._frames.extend(frames)
        self.last_step = step
        gamma_max = float(self._frames[-1].gamma.max())
        self._pending = (step, gamma_max, math.nan)
        self.decision = HaltDecision(step=step, first_step=step, tier="break")
        self.complete({})

    def complete(self, thermo: Mapping[str, float]) -> None:
        """Record the pending check, now that its step is complete.

        Parameters
        ----------
        thermo
            LAMMPS's thermodynamic output by column name; NaN is recorded if it belongs to another step.
        """
        if self._pending is None:
            return
        step, gamma_max, uncertainty = self._pending
        self._pending = None
        is_current = int(thermo.get("Step", -1)) == step
        observables = {
            name: float(thermo[script.COLUMNS[keyword]]) if is_current else float("nan")
            for keyword, name in script.OBSERVABLES.items()
        }
        observables["pressure_GPa"] /= script.BAR_PER_GPA
        observables["potential_energy_eV"] += self._reference
        if self.request.measure is not None:
            observables[self.request.column] = uncertainty
        check = Check(step=step, gamma_max=gamma_max, observables=observables)
        self._log.append(check)
        if self.request.on_check is not None:
            self.request.on_check(check)
        if self._follow_course(check) is not None:
            self._raise_runaway()

    def _raise_runaway(self, stopped: str = "") -> None:
        """End a run that has left its course, or whose atoms moved so far that LAMMPS stopped; do nothing otherwise."""
        if self._course is None or self._config is None:
            return
        if self._course.first_step is None and not BLEW_UP.search(stopped):
            return
        safe_step, safe_checkpoint = self._safe_state(self._course.last_step + 1)
        raise runaway(
            self._course,
            self._config,
            generation=self.request.generation.number,
            safe_step=safe_step,
            safe_checkpoint=safe_checkpoint,
            stopped=stopped,
        )

    def _follow_course(self, check: Check) -> Departure | None:
        """Compare a check with the course of the run, unless gamma is high: then the halting rule decides."""
        if self._course is None or self.decision is not None:
            return None
        if not check.gamma_max <= self.request.rule.threshold_call_dft:
            return None
        return self._course.update(check.step, check.observables)

    def _first_step_off_course(self, first_step: int | None) -> int | None:
        """Return the first step of an exceedance of gamma or of a limit of the course, whichever is earlier."""
        steps = [first_step, None if self._course is None else self._course.first_step]
        return min((step for step in steps if step is not None), default=None)

    def _safe_state(self, first_step: int) -> tuple[int, Path | None]:
        """Return step and restart file of the last state before an exceedance, and before the run left its course."""
        before = self._first_step_off_course(first_step)
        assert before is not None
        safe = self._log.safe_checkpoint(before, self.request.rule.threshold_call_dft)
        return (self.request.start_step, self.request.checkpoint) if safe is None else (safe.step, safe.path)

    def prune(self) -> None:
        """Delete checkpoints that are older than the last safe one."""
        first_step = self._first_step_off_course(self._monitor.first_step)
        self._log.prune(first_step, self.request.rule.threshold_call_dft)

    def blew_up(self, error: str = "") -> bool:
        """Record a break at the last frame if its gamma was high before LAMMPS died; return whether it was.

        Without this, atoms lost between two checks would end a campaign that a few labels could continue.

        Parameters
        ----------
        error
            Error with which LAMMPS stopped.

        Raises
        ------
        RunawayError
            If gamma was low, but the run had left its course, or atoms had moved too far.
        """
        if not self._frames:
            return False
        if not self._frames[-1].gamma.max() > self.request.rule.threshold_add_train:
            self._raise_runaway(error.partition("\n")[0])
            return False
        step = self._frames[-1].step
        first_step = step if self._monitor.first_step is None else self._monitor.first_step
        self.decision = HaltDecision(step=step, first_step=first_step, tier="break")
        self.complete({})
        return True

    def outcome(self, steps: int, halt_checkpoint: Path | None) -> Exploration:
        """Return the outcome of the segment.

        Parameters
        ----------
        steps
            Last step if the segment did not halt.
        halt_checkpoint
            Restart file of the halt, or None.

        Returns
        -------
        Exploration
        """
        request = self.request
        safe_step, safe_checkpoint = request.start_step, request.checkpoint
        if self.decision is not None:
            safe_step, safe_checkpoint = self._safe_state(self.decision.first_step)
        return Exploration(
            end_step=steps if self.decision is None else self.decision.step,
            timeline=self._log.timeline(),
            decision=self.decision,
            frames=tuple(self._atoms(frame) for frame in self._frames),
            safe_step=safe_step,
            safe_checkpoint=safe_checkpoint,
            halt_checkpoint=halt_checkpoint,
            soft_start=self._log.soft_start(),
        )

    def _atoms(self, frame: Frame, unwrapped: bool = False) -> Atoms:
        start = self.request.structure
        positions = frame.positions + frame.images @ frame.cell if unwrapped and self._periodic else frame.positions
        atoms = Atoms(start.symbols, positions, cell=frame.cell if self._periodic else None, pbc=start.pbc)
        with_per_atom(start, atoms)
        if not self._periodic and not unwrapped and start.cell.rank:
            put_into_box(atoms, start)  # an oracle may need it
        atoms.arrays["gamma"] = frame.gamma.copy()
        if frame.uncertainty is not None and not unwrapped:
            atoms.arrays[UNCERTAINTY] = np.array(frame.uncertainty, dtype=float)
        if not unwrapped:  # a frame from which a trajectory can continue
            atoms.set_velocities(frame.velocities / ANGSTROM_PER_PS)
            atoms.arrays["images"] = frame.images.copy()
        atoms.info["step"] = frame.step
        return frozen(atoms)
