"""Your own engine: velocity Verlet by ASE, with the calculator of the generation."""

from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms
from ase.md.verlet import VelocityVerlet

from acemaker.engines.checkpoints import HALT
from acemaker.engines.halting import HaltMonitor
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.potentials.measures import largest
from acemaker.structures.per_atom import bare_copy, frozen_atoms


class VerletEngine:
    """Runs `steps` steps of 2 fs at constant energy."""

    def __init__(self, steps: int, temperature: float = 300.0, restart_every: int = 50, seed: int = 1) -> None:
        self.steps, self.temperature, self.restart_every, self.seed = steps, temperature, restart_every, seed

    def explore(self, request: Request) -> Exploration:
        """Run to the last step or to a halt."""
        log = SegmentLog(request.directory)  # stores checks and checkpoints
        midway = log.rewind(midway=True)
        monitor = HaltMonitor(request.rule, request.probe_step, request.tolerance)
        log.replay(monitor, request.column)
        step = midway.step if midway else request.start_step
        atoms = self._state(request, midway.path if midway else request.checkpoint)
        atoms.calc = request.generation.calculator()
        dynamics = VelocityVerlet(atoms, 2 * units.fs)
        last_checked = log.checks[-1].step if log.checks else -1
        frames: deque[Atoms] = deque(maxlen=20)
        decision = None
        while True:
            if step % request.rule.check_every == 0:
                frames.append(self._frame(atoms, step))
                gamma = float(frames[-1].arrays["gamma"].max())
                if step > last_checked:
                    observables, uncertainty = {"temperature_K": atoms.get_temperature()}, np.nan
                    if (values := request.uncertainty(step, frames[-1])) is not None:
                        frames[-1].arrays["uncertainty"], uncertainty = values, largest(values)
                    if request.measure is not None:
                        observables[request.column] = uncertainty
                    check = Check(step=step, gamma_max=gamma, observables=observables)
                    decision = monitor.update(step, gamma, uncertainty)
                    log.append(check)
                    if decision is None and step % self.restart_every == 0:
                        log.write_checkpoint(step, partial(self._save, atoms))
                        log.prune(monitor.first_step, request.rule.threshold_call_dft)
                    if request.on_check is not None:
                        request.on_check(check)
            if decision is not None or step >= self.steps:
                break
            dynamics.run(1)
            step += 1
        safe_step, safe, halted = request.start_step, request.checkpoint, None
        if decision is not None:
            halted = log.write_checkpoint(step, partial(self._save, atoms), HALT)
            checkpoint = log.safe_checkpoint(decision.first_step, request.rule.threshold_call_dft)
            safe_step, safe = (checkpoint.step, checkpoint.path) if checkpoint else (safe_step, safe)
        return Exploration(
            end_step=step,
            timeline=log.timeline(),
            decision=decision,
            frames=tuple(frames),
            safe_step=safe_step,
            safe_checkpoint=safe,
            halt_checkpoint=halted,
        )

    def close(self) -> None:
        """Free nothing: the calculator is freed with the segment."""

    def _state(self, request: Request, checkpoint: Path | None) -> Atoms:
        start = request.start
        atoms = bare_copy(start)  # with the masses, and the marks of the frozen atoms
        atoms.set_constraint(FixAtoms(mask=frozen_atoms(request.structure)))
        if checkpoint is not None:
            with checkpoint.open("rb") as stream:
                saved = np.load(stream)
                atoms.positions[:], momenta = saved["positions"], saved["momenta"]
            atoms.set_momenta(momenta)
        elif request.state is not None:  # a frame of an earlier halt
            atoms.set_velocities(request.state.get_velocities())
        else:
            noise = np.random.default_rng(self.seed).normal(size=(len(atoms), 3))
            atoms.set_momenta(noise * np.sqrt(atoms.get_masses()[:, None] * units.kB * self.temperature))
        return atoms

    @staticmethod
    def _save(atoms: Atoms, path: Path) -> None:
        with path.open("wb") as stream:
            np.savez(stream, positions=atoms.positions, momenta=atoms.get_momenta())

    @staticmethod
    def _frame(atoms: Atoms, step: int) -> Atoms:
        atoms.get_forces()
        frame = atoms.copy()  # without the calculator
        frame.set_constraint()
        frame.arrays["gamma"] = np.array(atoms.calc.results["gamma"])
        frame.info["step"] = step
        return frame
