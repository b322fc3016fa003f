"""What both engines do with a look at gamma: record it, keep its frame, apply the halting rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.engines.halting import HaltMonitor, Verdict
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.records import SoftStart
from acemaker.engines.segment_log import SegmentLog
from acemaker.formatting.record import frozen
from acemaker.lammps import script
from acemaker.lammps.box import ANGSTROM_PER_PS

FRAMES_KEPT = 20
"""Checks whose structures are kept in memory, to be looked at after a halt."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look at gamma, with the atoms in the order of the campaign's initial structure.

    Attributes
    ----------
    step : int
        The engine's step.
    positions : ndarray, shape (n_atoms, 3)
        Å, from the box's origin where it is periodic.
    images : ndarray of int, shape (n_atoms, 3)
        Boxes that the atoms have crossed.
    velocities : ndarray, shape (n_atoms, 3)
        Å/ps.
    cell : ndarray, shape (3, 3)
        Å, lower triangular.
    gamma : ndarray, shape (n_atoms,)
        NaN where the potential gave no finite forces.
    """

    step: int
    positions: np.ndarray
    images: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    gamma: np.ndarray


class SegmentWatch:
    """Follows one segment, look by look.

    Parameters
    ----------
    request
        The segment.
    log
        Its files; checks that they hold are shown to the rule first.
    trajectory_every
        MD steps between frames of the trajectory; 0 for none.

    Attributes
    ----------
    request : Request
        The segment.
    verdict : Verdict or None
        Why it halted; None while it may go on.
    looked_at : int
        Step of the last look; -1 before the first.
    """

    def __init__(self, request: Request, log: SegmentLog, trajectory_every: int) -> None:
        self.request = request
        self._log = log
        self._trajectory_every = trajectory_every
        self._periodic = bool(request.structure.pbc.all())
        energies = request.generation.reference_energies
        self._reference = sum(energies[symbol] for symbol in request.structure.get_chemical_symbols())
        self._monitor = HaltMonitor(request.rule)
        log.replay(self._monitor)
        self.looked_at = log.checks[-1].step if log.checks else -1
        self._pending: tuple[int, float] | None = None
        self._kept: deque[Look] = deque(maxlen=FRAMES_KEPT)
        self.verdict: Verdict | None = None

    @property
    def pending(self) -> int | None:
        """Step of a look whose observables are still to come."""
        return None if self._pending is None else self._pending[0]

    def keep_soft_start(self, soft_start: SoftStart) -> None:
        """Keep how the segment came over to its potential."""
        self._log.write_soft_start(soft_start)

    def look(self, look: Look) -> Verdict | None:
        """Take in a look; one that was taken in before only serves as a frame.

        Returns
        -------
        Verdict or None
            None while the run may go on.
        """
        if not self._kept or self._kept[-1].step < look.step:
            self._kept.append(look)
        if look.step <= self.looked_at:
            return None  # a checkpoint's step comes twice: at the end of one stretch and in the next one's set-up
        self.looked_at = look.step
        gamma_max = float(look.gamma.max())
        self._pending = (look.step, gamma_max)
        if self._trajectory_every and look.step % self._trajectory_every == 0:
            self._log.append_frame(self._atoms(look, unwrapped=True))
        self.verdict = self._monitor.update(look.step, gamma_max)
        return self.verdict

    def break_off(self, looks: Iterable[Look], step: int) -> None:
        """Take over a break before production, as the segment's first and only check.

        Parameters
        ----------
        looks
            Those of the soft start, the breaking one at the end; they become the halt's frames.
        step
            The production step that was to be gone on from.
        """
        self._kept.extend(looks)
        self.looked_at = step
        gamma_max = float(self._kept[-1].gamma.max())
        self._pending = (step, gamma_max)
        self.verdict = Verdict(step=step, first_step=step, tier="break")
        self.complete({})

    def complete(self, thermo: Mapping[str, float]) -> None:
        """Write the last look as a check, now that its step is over.

        Parameters
        ----------
        thermo
            LAMMPS's thermodynamic output by its column names; NaN is recorded if it is of another step.
        """
        if self._pending is None:
            return
        step, gamma_max = self._pending
        self._pending = None
        known = int(thermo.get("Step", -1)) == step
        observables = {
            recorded: float(thermo[script.COLUMNS[keyword]]) if known else float("nan")
            for keyword, recorded in script.OBSERVABLES.items()
        }
        observables["pressure_GPa"] /= script.BAR_PER_GPA
        observables["potential_energy_eV"] += self._reference
        check = Check(step=step, gamma_max=gamma_max, observables=observables)
        self._log.append(check)
        if self.request.on_check is not None:
            self.request.on_check(check)

    def prune(self) -> None:
        """Delete checkpoints that are older than the last safe one."""
        self._log.prune(self._monitor.first_step, self.request.rule.threshold_call_dft)

    def blew_up(self) -> bool:
        """Tell whether LAMMPS died of a potential beyond its region, and make a break of it.

        Atoms that are lost between two checks would otherwise end a campaign that one label could heal.
        """
        if not self._kept or not self._kept[-1].gamma.max() > self.request.rule.threshold_add_train:
            return False
        step = self._kept[-1].step
        first_step = step if self._monitor.first_step is None else self._monitor.first_step
        self.verdict = Verdict(step=step, first_step=first_step, tier="break")
        self.complete({})
        return True

    def outcome(self, steps: int, halt_checkpoint: Path | None) -> Exploration:
        """Say how the segment went.

        Parameters
        ----------
        steps
            The requested ones, where it did not halt.
        halt_checkpoint
            Restart file of the halt, where there is one.

        Returns
        -------
        Exploration
        """
        request = self.request
        safe_step, safe_checkpoint = request.start_step, request.checkpoint
        if self.verdict is not None:
            safe = self._log.safe_checkpoint(self.verdict.first_step, request.rule.threshold_call_dft)
            if safe is not None:
                safe_step, safe_checkpoint = safe.step, safe.path
        return Exploration(
            end_step=steps if self.verdict is None else self.verdict.step,
            timeline=self._log.timeline(),
            verdict=self.verdict,
            frames=tuple(self._atoms(look) for look in self._kept),
            safe_step=safe_step,
            safe_checkpoint=safe_checkpoint,
            halt_checkpoint=halt_checkpoint,
            soft_start=self._log.soft_start(),
        )

    def _atoms(self, look: Look, unwrapped: bool = False) -> Atoms:
        start = self.request.structure
        positions = look.positions + look.images @ look.cell if unwrapped and self._periodic else look.positions
        atoms = Atoms(start.symbols, positions, cell=look.cell if self._periodic else None, pbc=start.pbc)
        atoms.arrays["gamma"] = look.gamma.copy()
        if not unwrapped:  # a frame from which one can go on
            atoms.set_velocities(look.velocities / ANGSTROM_PER_PS)
            atoms.arrays["images"] = look.images.copy()
        atoms.info["step"] = look.step
        return frozen(atoms)
