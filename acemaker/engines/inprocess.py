"""In-process engine: LAMMPS integrates, and a callback lets pyace evaluate forces on LAMMPS's neighbor lists."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from acemaker.config import EngineConfig
from acemaker.engines.callback import Callback
from acemaker.engines.checkpoints import HALT
from acemaker.engines.forces import Forces
from acemaker.engines.lammps_session import LammpsSession
from acemaker.engines.preflight import preflight, run_here
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import SegmentMonitor
from acemaker.engines.soft_start import SoftStartMonitor
from acemaker.engines.workers import Workers, start_workers
from acemaker.errors import AcemakerError, EngineError
from acemaker.lammps import script
from acemaker.lammps.box import is_triclinic
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.library import open_lammps
from acemaker.lammps.restart import is_whole
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.utils.interrupt import interruptions


class InProcessEngine:
    """Runs LAMMPS in this process; a halt pauses LAMMPS, which then continues with the new generation.

    Parameters
    ----------
    config
        Ensemble, ramps, time step, checkpoints.
    seed
        Seed of the campaign, from which those of velocities and stochastic thermostats are derived.
    """

    def __init__(self, config: EngineConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._session: LammpsSession | None = None
        self._workers: Workers | None = None
        self._checked: Evaluator | None = None  # has passed the preflight
        self._paused_at: Path | None = None  # restart file with the state of the paused LAMMPS

    def explore(self, request: Request) -> Exploration:
        """Run to the last step or to a halt.

        Parameters
        ----------
        request
            Segment to run: start, potential and halting rule.

        Returns
        -------
        Exploration

        Raises
        ------
        EngineError
            If LAMMPS stops with an error, or LAMMPS and pyace disagree in the preflight.
        StructureError
            If the ensemble does not suit the structure.
        KeyboardInterrupt
            After Ctrl-C, once LAMMPS has stopped.
        """
        check_ensemble(self.config, request.structure)
        log = SegmentLog(request.directory)
        midway = log.rewind(is_whole=is_whole)
        evaluator = evaluator_of(request.generation)
        try:
            self._preflight(evaluator, request)
        except BaseException:
            self.close()  # force processes may be about to answer
            raise
        if self._session is None:
            self._session = LammpsSession(open_lammps(), self.config, self.seed)
        monitor = SegmentMonitor(request, log, self.config.trajectory_every, self.config)
        callback = self._callback(self._session, Forces(self._session.lmp, evaluator, self._workers), request, monitor)
        log_file = request.directory / script.LOG_FILE
        soft = request.soft_start and midway is None and script.soft_start_steps(self.config, request.start_step) > 0
        try:
            with interruptions() as callback.interrupt:
                self._session.log(log_file)
                if soft:
                    self._paused_at = None
                    ready = self._soften(self._session, request, monitor, callback)
                else:
                    ready = True
                    self._load(self._session, request, midway.path if midway else request.checkpoint)
                if ready:
                    self._run(self._session, request, callback, monitor, log)
        except Exception as error:
            self.close()
            if isinstance(error, AcemakerError) or error is callback.error:
                raise  # not an error of LAMMPS
            if not monitor.blew_up(str(error)):
                raise EngineError(f"LAMMPS stopped in segment {request.number}: {error}", log_file) from error
        if callback.interrupt.is_set():
            self.close()
            raise KeyboardInterrupt
        return self._outcome(monitor, log)

    def close(self) -> None:
        """End LAMMPS; the next segment starts a new one."""
        if self._session is not None:
            self._session.close()
        if self._workers is not None:
            self._workers.close()
        self._session, self._workers, self._paused_at = None, None, None

    def _preflight(self, evaluator: Evaluator, request: Request) -> None:
        """Load the potential in the force processes, and compare LAMMPS with pyace unless that was done before."""
        self._start_workers(request.generation)
        if evaluator is self._checked:
            return
        with interruptions() as interrupt:  # an exception cannot propagate through LAMMPS
            preflight(evaluator, request.structure, self.config.skin, partial(run_here, workers=self._workers))
        if interrupt.is_set():
            raise KeyboardInterrupt
        self._checked = evaluator

    def _start_workers(self, generation: Generation) -> None:
        """Start the force processes unless they run, and load the potential in them."""
        if self._workers is None:
            self._workers = start_workers(self.config.n_force_processes, generation)
        else:
            self._workers.load(generation)

    def _load(self, session: LammpsSession, request: Request, checkpoint: Path | None) -> None:
        """Load the start of the segment, unless LAMMPS is paused there."""
        paused_at, self._paused_at = self._paused_at, None
        if checkpoint is not None and checkpoint == paused_at:
            return
        session.load(request, checkpoint)

    def _soften(
        self,
        session: LammpsSession,
        request: Request,
        monitor: SegmentMonitor,
        production: Callback,
    ) -> bool:
        """Run the soft start; return False if gamma exceeded the break threshold or the run was interrupted."""
        soft = SoftStartMonitor(monitor, self.config)
        callback = Callback(
            session.lmp,
            production.forces,
            request.rule.check_every,
            request.structure,
            on_frame=soft.add_frame,
            on_step=lambda: soft.thermo(session.thermo()),
        )
        callback.interrupt = production.interrupt
        try:
            ready = session.soften(
                request,
                request.checkpoint,
                callback,
                request.directory / script.SOFT_STATE,
                lambda: soft.thermo(session.thermo()),
            )
        except Exception:
            production.error = callback.error
            if callback.error is None and soft.blew_up():
                self.close()
                return False
            raise
        if ready:
            soft.finish()
        return ready

    @staticmethod
    def _callback(session: LammpsSession, forces: Forces, request: Request, monitor: SegmentMonitor) -> Callback:
        def complete() -> None:
            if monitor.pending is not None:  # reading the output of LAMMPS at every step would be slow
                monitor.complete(session.thermo())

        return Callback(
            session.lmp,
            forces,
            request.rule.check_every,
            request.structure,
            on_frame=lambda frame: monitor.add_frame(frame) is not None,
            on_step=complete,
        )

    @staticmethod
    def _run(
        session: LammpsSession, request: Request, callback: Callback, monitor: SegmentMonitor, log: SegmentLog
    ) -> None:
        def checkpoint(step: int) -> Path | None:
            if callback.interrupt.is_set():
                return None  # the last check belongs to the unfinished stretch, which is run again
            try:
                monitor.complete(session.thermo())
            except Exception as error:
                callback.error = error  # raised by request.on_check, not by LAMMPS
                raise
            if monitor.decision is not None:
                return None
            path = log.write_checkpoint(step, session.save)
            monitor.prune()
            return path

        session.run(request, callback, checkpoint)

    def _outcome(self, monitor: SegmentMonitor, log: SegmentLog) -> Exploration:
        halt_checkpoint, decision, session = None, monitor.decision, self._session
        saves = not self.config.is_strained  # a strain continues from checkpoints only
        if saves and decision is not None and session is not None and decision.tier != "break":
            halt_checkpoint = log.write_checkpoint(decision.step, session.save, HALT)
            must_read = is_triclinic(session.lmp) or decision.step in self.config.borders
            self._paused_at = None if must_read else halt_checkpoint
        return monitor.outcome(self.config.steps, halt_checkpoint)
