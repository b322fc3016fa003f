"""The in-process engine: LAMMPS drives and calls back; pyace evaluates on LAMMPS's own neighbour lists."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.engines import script
from acemaker.engines.box import by_tag, has_momenta, image_shifts, is_triclinic, put_structure, read_cell
from acemaker.engines.halting import HaltMonitor, Verdict
from acemaker.engines.lammps_library import open_lammps
from acemaker.engines.neighbours import NeighbourEnvironment
from acemaker.engines.preflight import preflight
from acemaker.engines.protocol import Check, Exploration, Request
from acemaker.engines.segment_log import HALT, SegmentLog
from acemaker.errors import AcemakerError, EngineError, StructureError
from acemaker.interrupt import interruptions
from acemaker.potentials.evaluator import Evaluation, Evaluator, evaluator_of
from acemaker.results.record import frozen

FRAMES_KEPT = 20
"""Checks whose structures are kept in memory, to be looked at after a halt."""

FORCE_LIMIT = 1e3
"""eV/Å; beyond it gamma is looked at at once, between two checks."""


class InProcessEngine:
    """Runs LAMMPS within this process; a halt pauses it, and a new generation is swapped in.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints.
    seed
        The campaign's; velocities and stochastic thermostats derive theirs from it.
    """

    def __init__(self, config: EngineConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._lmp: Any = None
        self._trusted: Evaluator | None = None  # what has passed the preflight
        self._paused_at: Path | None = None  # the restart file that equals the living LAMMPS's state

    def explore(self, request: Request) -> Exploration:
        """Run until the requested steps or a halt.

        Parameters
        ----------
        request
            Where to start, with which potential, and what halts.

        Returns
        -------
        Exploration

        Raises
        ------
        EngineError
            If LAMMPS stops with an error, or says something else than pyace before it starts.
        StructureError
            If the ensemble does not suit the structure.
        KeyboardInterrupt
            After Ctrl-C, once LAMMPS has stopped.
        """
        if self.config.ensemble == "npt" and not request.structure.pbc.all():
            raise StructureError("expected a periodic structure for ensemble 'npt', got a cluster; use 'nvt'")
        log = SegmentLog(request.directory)
        midway = log.rewind(script.EXACT_CHECKPOINTS[self.config.ensemble])
        evaluator = evaluator_of(request.generation)
        if evaluator is not self._trusted:
            preflight(evaluator, request.structure, self.config.skin)
            self._trusted = evaluator
        if self._lmp is None:
            self._lmp = open_lammps()
        log_file = request.directory / "log.lammps"
        run = _Run(self._lmp, evaluator, request, log, self.config)
        try:
            self._lmp.command(f"log {script.quote(log_file)}")
            self._load(request, evaluator, midway.path if midway else request.checkpoint)
            run.go(reload=lambda checkpoint: self._load(request, evaluator, checkpoint))
        except Exception as error:
            self.close()
            if isinstance(error, AcemakerError) or error is run.error:
                raise  # not LAMMPS's
            if not run.blew_up():
                raise EngineError(f"LAMMPS stopped in segment {request.number}: {error}", log_file) from error
        if run.interrupted:
            self.close()
            raise KeyboardInterrupt
        return self._outcome(run, request, log)

    def close(self) -> None:
        """End LAMMPS; the next segment starts a new one."""
        if self._lmp is not None:
            self._lmp.close()
        self._lmp, self._paused_at = None, None

    def _load(self, request: Request, evaluator: Evaluator, checkpoint: Path | None) -> None:
        """Bring LAMMPS to the segment's start; if it pauses there already, only the outputs change."""
        lmp, config = self._lmp, self.config
        living = checkpoint is not None and checkpoint == self._paused_at
        self._paused_at = None
        commands: list[str] = []
        if living:
            if config.ensemble == "langevin":
                commands.append("unfix thermostat")
                commands += self._ensemble(request)[1:]
        else:
            lmp.command("clear")
            for command in script.header_commands(bool(request.structure.pbc.all())):
                lmp.command(command)
            if checkpoint is None:
                triclinic = config.ensemble == "npt" and config.pressure_coupling == "tri"
                put_structure(lmp, request.structure, evaluator.elements, triclinic)
                if not has_momenta(request.structure):
                    commands += script.velocity_commands(config.temperature[0], script.random_seed(self.seed, 0))
            else:
                lmp.command(f"read_restart {script.quote(checkpoint)}")
            commands += script.callback_commands(evaluator.cutoff)
            commands += script.neighbour_commands(config.skin)
            commands += self._ensemble(request)
            commands += script.output_commands(config, request.rule.check_every)
        for command in commands:
            lmp.command(command)

    def _ensemble(self, request: Request) -> list[str]:
        return script.ensemble_commands(self.config, script.random_seed(self.seed, request.number))

    def _outcome(self, run: _Run, request: Request, log: SegmentLog) -> Exploration:
        safe_step, safe_checkpoint, halt_checkpoint = request.start_step, request.checkpoint, None
        end_step = self.config.steps
        if run.verdict is not None:
            end_step = run.verdict.step
            if self._lmp is not None:
                halt_checkpoint = log.write_checkpoint(run.verdict.step, run.save, HALT)
                self._paused_at = None if is_triclinic(self._lmp) else halt_checkpoint
            safe = log.safe_checkpoint(run.verdict.first_step, request.rule.threshold_call_dft)
            if safe is not None:
                safe_step, safe_checkpoint = safe.step, safe.path
        return Exploration(
            end_step=end_step,
            timeline=log.timeline(),
            verdict=run.verdict,
            frames=tuple(run.frames()),
            safe_step=safe_step,
            safe_checkpoint=safe_checkpoint,
            halt_checkpoint=halt_checkpoint,
        )


class _Run:
    """One ``run`` of LAMMPS: the callback and what it gathers."""

    def __init__(self, lmp: Any, evaluator: Evaluator, request: Request, log: SegmentLog, config: EngineConfig) -> None:
        self._lmp = lmp
        self._evaluator = evaluator
        self._request = request
        self._log = log
        self._config = config
        self._neighbours = NeighbourEnvironment(lmp)
        self._periodic = bool(request.structure.pbc.all())
        energies = request.generation.reference_energies
        self._reference = sum(energies[symbol] for symbol in request.structure.get_chemical_symbols())
        self._monitor = HaltMonitor(request.rule)
        log.replay(self._monitor)
        self._looked_at = log.checks[-1].step if log.checks else -1
        self._pending: tuple[int, float] | None = None
        self._kept: deque[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = deque(maxlen=FRAMES_KEPT)
        self.error: BaseException | None = None
        self.verdict: Verdict | None = None
        self.interrupted = False
        self._interrupt = threading.Event()

    def go(self, reload: Callable[[Path], None]) -> None:
        """Run to the end, a halt, an error or Ctrl-C.

        LAMMPS's set-up, which rebuilds lists and takes the masses of thermostat and barostat from the
        ramp's temperature, is made at every checkpoint, so that a run that starts there does nothing else.
        A triclinic box goes through the restart file as well: reading it rounds the positions.

        Parameters
        ----------
        reload
            Reads a restart file into LAMMPS.
        """
        lmp, config = self._lmp, self._config
        rounds = is_triclinic(lmp) and script.EXACT_CHECKPOINTS[config.ensemble]
        step = int(lmp.extract_global("ntimestep"))
        with interruptions() as self._interrupt:
            while step < config.steps:
                lmp.set_fix_external_callback("ace", self._callback, None)
                self._neighbours.forget()
                lmp.command("timer timeout off")
                upto = min(config.steps, (step // config.restart_every + 1) * config.restart_every)
                lmp.command(script.run_command(upto, config.steps))
                if self.error is not None:
                    raise self.error
                step = int(lmp.extract_global("ntimestep"))
                if self._interrupt.is_set():
                    break  # the last check goes with the unfinished stretch
                self._record_pending()
                if self.verdict is not None:
                    break
                checkpoint = self._log.write_checkpoint(step, self.save)
                self._log.prune(self._monitor.first_step, self._request.rule.threshold_call_dft)
                if rounds and step < config.steps:
                    reload(checkpoint)
        self.interrupted = self._interrupt.is_set()

    def blew_up(self) -> bool:
        """Tell whether LAMMPS died of a potential beyond its region, and make a break of it.

        Atoms that are lost between two checks would otherwise end a campaign that one label could heal.
        """
        if not self._kept or not self._kept[-1][3].max() > self._request.rule.threshold_add_train:
            return False
        step = self._kept[-1][0]
        first_step = step if self._monitor.first_step is None else self._monitor.first_step
        self.verdict = Verdict(step=step, first_step=first_step, tier="break")
        if self._pending is not None:
            unknown = dict.fromkeys(script.OBSERVABLES.values(), float("nan"))
            self._log.append(Check(step=step, gamma_max=self._pending[1], observables=unknown))
        return True

    def save(self, path: Path) -> None:
        """Write a restart file of the state as it is."""
        self._lmp.command(f"write_restart {script.quote(path)}")

    def frames(self) -> list[Atoms]:
        """Return the structures of the last checks."""
        return [self._atoms(*kept) for kept in self._kept]

    def _callback(self, _: Any, step: int, nlocal: int, tags: np.ndarray, __: Any, forces: np.ndarray) -> None:
        # an exception cannot cross LAMMPS: keep it, stop the run, raise it afterwards
        try:
            self._record_pending()  # of the step before, which is complete now
            self._evaluate(step, nlocal, tags, forces)
            if self._interrupt.is_set():
                self._lmp.force_timeout()
        except BaseException as error:
            self.error = error
            forces[:] = 0.0
            self._lmp.force_timeout()

    def _evaluate(self, step: int, nlocal: int, tags: np.ndarray, forces: np.ndarray) -> None:
        if self.error is not None or self.verdict is not None:
            forces[:] = 0.0
            return
        environment = self._neighbours.update(nlocal)
        looks = step % self._request.rule.check_every == 0
        result = self._evaluator.graded(environment) if looks else self._evaluator.fast(environment)
        if not looks and not np.abs(result.forces).max() < FORCE_LIMIT:
            result, looks = self._evaluator.graded(environment), True
        forces[:] = result.forces
        self._lmp.fix_external_set_energy_global("ace", result.energy)
        # LAMMPS counts the virial with the opposite sign
        self._lmp.fix_external_set_virial_global("ace", -result.virial)
        if looks:
            self._look(step, nlocal, tags, result)

    def _look(self, step: int, nlocal: int, tags: np.ndarray, result: Evaluation) -> None:
        assert result.gamma is not None
        gamma = by_tag(result.gamma, tags)
        gamma_max = float(gamma.max()) if np.isfinite(result.forces).all() else float("nan")
        cell, origin = read_cell(self._lmp)
        positions = self._lmp.numpy.extract_atom("x")[:nlocal].copy()
        if self._periodic:  # a shrink-wrapped box moves its origin with the atoms
            positions -= origin
        if not self._kept or self._kept[-1][0] < step:
            self._kept.append((step, by_tag(positions, tags), cell, gamma))
        if step <= self._looked_at:
            return  # a checkpoint's step comes twice: at the end of one stretch and in the next one's set-up
        self._looked_at = step
        self._pending = (step, gamma_max)
        every = self._config.trajectory_every
        if every and step % every == 0:
            images = self._lmp.numpy.extract_atom("image")[:nlocal]
            unwrapped = positions + image_shifts(images) @ cell if self._periodic else positions
            self._log.append_frame(self._atoms(step, by_tag(unwrapped, tags), cell, gamma))
        self.verdict = self._monitor.update(step, gamma_max)
        if self.verdict is not None:
            self._lmp.force_timeout()

    def _record_pending(self) -> None:
        """Write the last check with the observables at the end of its step, now that this is over."""
        if self._pending is None:
            return
        step, gamma_max = self._pending
        self._pending = None
        thermo = self._lmp.last_thermo() or {}
        names = {"temp": "Temp", "press": "Press", "pe": "PotEng", "vol": "Volume"}
        known = int(thermo.get("Step", -1)) == step
        observables = {
            recorded: float(thermo[names[keyword]]) if known else float("nan")
            for keyword, recorded in script.OBSERVABLES.items()
        }
        observables["pressure_GPa"] /= script.BAR_PER_GPA
        observables["potential_energy_eV"] += self._reference
        check = Check(step=step, gamma_max=gamma_max, observables=observables)
        self._log.append(check)
        if self._request.on_check is not None:
            try:
                self._request.on_check(check)
            except Exception as error:
                self.error = error  # the listener's, not LAMMPS's
                raise

    def _atoms(self, step: int, positions: np.ndarray, cell: np.ndarray, gamma: np.ndarray) -> Atoms:
        start = self._request.structure
        atoms = Atoms(start.symbols, positions, cell=cell if start.pbc.all() else None, pbc=start.pbc)
        atoms.arrays["gamma"] = gamma.copy()
        atoms.info["step"] = step
        return frozen(atoms)
