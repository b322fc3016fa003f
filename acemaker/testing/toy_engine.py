"""Toy engine without LAMMPS: atoms on springs, and a prescribed gamma."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms, units

from acemaker.engines.checkpoints import HALT
from acemaker.engines.halting import HaltMonitor
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.formatting.record import frozen
from acemaker.potentials.measures import UNCERTAINTY, largest
from acemaker.structures.per_atom import frozen_atoms, with_per_atom

GammaScript = Callable[[int, int], float]

CALM, RAISED = 0.8, 7.0
"""Largest gamma below the default thresholds, and one that leads to a halt."""


def halting_at(*steps: int, check_every: int = 5, smooth_steps: int = 3) -> GammaScript:
    """Return a gamma function with which generation i halts at step ``steps[i - 1]``, and later generations never halt.

    Parameters
    ----------
    *steps
        Steps of the halts, one per generation; multiples of `check_every`.
    check_every, smooth_steps
        Parameters of the halting rule.

    Returns
    -------
    callable
        Function of step and generation that returns the largest gamma.

    Examples
    --------
    >>> from acemaker.testing import halting_at
    >>> gamma = halting_at(100)
    >>> gamma(100, 1) > 5, gamma(100, 2) > 5
    (True, False)
    """

    def script(step: int, generation: int) -> float:
        if generation > len(steps):
            return CALM
        return RAISED if step > steps[generation - 1] - smooth_steps * check_every else CALM

    return script


class ToyEngine:
    """Integrates independent springs with velocity Verlet, deterministically and with exact checkpoints.

    Parameters
    ----------
    steps
        Number of steps of the whole trajectory.
    gamma
        Function of step and generation that returns the gamma of atom 0, from which gamma decays with distance.
    restart_every
        Steps between checkpoints.
    temperature
        Temperature of the initial velocities, K.
    seed
        Seed of the initial velocities.

    Examples
    --------
    >>> from acemaker.testing import ToyEngine, halting_at
    >>> engine = ToyEngine(200, halting_at(100, 160))
    """

    def __init__(
        self,
        steps: int = 200,
        gamma: GammaScript | None = None,
        *,
        restart_every: int = 50,
        temperature: float = 300.0,
        seed: int = 1,
    ) -> None:
        self.steps = steps
        self.gamma = gamma or halting_at(100)
        self.restart_every = restart_every
        self.temperature = temperature
        self.seed = seed

    def explore(self, request: Request) -> Exploration:
        """Run to the last step or to a halt.

        Parameters
        ----------
        request
            Segment to run.

        Returns
        -------
        Exploration
        """
        log = SegmentLog(request.directory)
        midway = log.rewind(midway=True)
        monitor = HaltMonitor(request.rule, request.probe_step, request.tolerance)
        log.replay(monitor, request.column)
        checkpoint = midway.path if midway else request.checkpoint
        start = midway.step if midway else request.start_step
        positions, velocities = self._state(request, checkpoint)
        last_check = log.checks[-1].step if log.checks else -1
        frames: deque[Atoms] = deque(maxlen=20)
        decision, step = None, start
        while True:
            if step % request.rule.check_every == 0:
                atoms = self._frame(request, positions, step)
                frames.append(atoms)
                if step > last_check:
                    check = self._check(step, atoms, velocities)
                    uncertainty = math.nan
                    if (values := request.uncertainty(step, atoms)) is not None:
                        atoms.arrays[UNCERTAINTY], uncertainty = values, largest(values)
                    if request.measure is not None:
                        check = replace(check, observables={**check.observables, request.column: uncertainty})
                    decision = monitor.update(step, check.gamma_max, uncertainty)
                    log.append(check)
                    if step % self.restart_every == 0 and decision is None:
                        log.append_frame(atoms)
                        log.write_checkpoint(step, partial(self._save, positions, velocities))
                        log.prune(monitor.first_step, request.rule.threshold_call_dft)
                    if request.on_check is not None:
                        request.on_check(check)
            if decision is not None or step >= self.steps:
                break
            positions, velocities = self._advance(request.structure, positions, velocities)
            step += 1
        safe_step, safe_checkpoint, halt_checkpoint = request.start_step, request.checkpoint, None
        if decision is not None:
            halt_checkpoint = log.write_checkpoint(step, partial(self._save, positions, velocities), HALT)
            safe = log.safe_checkpoint(decision.first_step, request.rule.threshold_call_dft)
            if safe is not None:
                safe_step, safe_checkpoint = safe.step, safe.path
        return Exploration(
            end_step=step,
            timeline=log.timeline(),
            decision=decision,
            frames=tuple(frames),
            safe_step=safe_step,
            safe_checkpoint=safe_checkpoint,
            halt_checkpoint=halt_checkpoint,
        )

    def close(self) -> None:
        """Do nothing: the engine holds no resources."""

    def _state(self, request: Request, checkpoint: Path | None) -> tuple[np.ndarray, np.ndarray]:
        if checkpoint is None:
            masses = request.structure.get_masses()[:, None]
            widths = np.sqrt(units.kB * self.temperature / masses)
            velocities = widths * np.random.default_rng(self.seed).normal(size=(len(masses), 3))
            velocities[frozen_atoms(request.structure)] = 0.0
            return request.structure.positions.copy(), velocities
        with checkpoint.open("rb") as stream:
            saved = np.load(stream)
            return saved["positions"], saved["velocities"]

    def _save(self, positions: np.ndarray, velocities: np.ndarray, path: Path) -> None:
        with path.open("wb") as stream:
            np.savez(stream, positions=positions, velocities=velocities)

    def _advance(self, start: Atoms, positions: np.ndarray, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        time_step, spring = 2.0 * units.fs, 2.0  # eV/Å^2
        masses = start.get_masses()[:, None]
        half = velocities - 0.5 * time_step * spring * (positions - start.positions) / masses
        moved = positions + time_step * half
        # a frozen atom has no velocity and no displacement, so that its spring exerts no force
        return moved, half - 0.5 * time_step * spring * (moved - start.positions) / masses

    def _frame(self, request: Request, positions: np.ndarray, step: int) -> Atoms:
        start = request.structure
        atoms = with_per_atom(start, Atoms(start.symbols, positions, cell=start.cell, pbc=start.pbc))
        distances = atoms.get_distances(0, range(len(atoms)), mic=bool(atoms.pbc.any()))
        largest = self.gamma(step, request.generation.number)
        atoms.arrays["gamma"] = 0.1 + (largest - 0.1) * np.exp(-distances / 3.0)
        atoms.info["step"] = step
        return frozen(atoms)

    @staticmethod
    def _check(step: int, atoms: Atoms, velocities: np.ndarray) -> Check:
        kinetic = 0.5 * float((atoms.get_masses()[:, None] * velocities**2).sum())
        n_mobile = int((~frozen_atoms(atoms)).sum())
        return Check(
            step=step,
            gamma_max=float(atoms.arrays["gamma"].max()),
            observables={"temperature_K": 2 * kinetic / (3 * n_mobile * units.kB)},
        )
