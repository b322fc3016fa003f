"""The in-process engine: LAMMPS drives and calls back; pyace evaluates on LAMMPS's own neighbour lists."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from acemaker.config import EngineConfig
from acemaker.engines.callback import Callback
from acemaker.engines.checkpoints import HALT
from acemaker.engines.forces import Forces
from acemaker.engines.lammps_session import LivingLammps
from acemaker.engines.preflight import preflight, run_here
from acemaker.engines.protocol import Exploration, Request
from acemaker.engines.segment_log import SegmentLog
from acemaker.engines.segment_monitor import SegmentWatch
from acemaker.engines.soft_start import SoftWatch
from acemaker.engines.workers import Workers, hire
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
        self._living: LivingLammps | None = None
        self._workers: Workers | None = None
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
        check_ensemble(self.config, request.structure)
        log = SegmentLog(request.directory)
        midway = log.rewind(is_whole=is_whole)
        evaluator = evaluator_of(request.generation)
        try:
            self._trust(evaluator, request)
        except BaseException:
            self.close()  # helpers may be in the midst of an answer
            raise
        if self._living is None:
            self._living = LivingLammps(open_lammps(), self.config, self.seed)
        watch = SegmentWatch(request, log, self.config.trajectory_every)
        callback = self._callback(self._living, Forces(self._living.lmp, evaluator, self._workers), request, watch)
        log_file = request.directory / script.LOG_FILE
        soft = request.soft_start and midway is None and script.soft_start_steps(self.config) > 0
        try:
            with interruptions() as callback.interrupt:
                self._living.log(log_file)
                if soft:
                    self._paused_at = None
                    ready = self._soften(self._living, request, watch, callback)
                else:
                    ready = True
                    self._load(self._living, request, midway.path if midway else request.checkpoint)
                if ready:
                    self._run(self._living, request, callback, watch, log)
        except Exception as error:
            self.close()
            if isinstance(error, AcemakerError) or error is callback.error:
                raise  # not LAMMPS's
            if not watch.blew_up():
                raise EngineError(f"LAMMPS stopped in segment {request.number}: {error}", log_file) from error
        if callback.interrupt.is_set():
            self.close()
            raise KeyboardInterrupt
        return self._outcome(watch, log)

    def close(self) -> None:
        """End LAMMPS; the next segment starts a new one."""
        if self._living is not None:
            self._living.close()
        if self._workers is not None:
            self._workers.close()
        self._living, self._workers, self._paused_at = None, None, None

    def _trust(self, evaluator: Evaluator, request: Request) -> None:
        """Have helpers with the potential, and compare it with pyace unless that was done before."""
        self._hire(request.generation)
        if evaluator is self._trusted:
            return
        with interruptions() as interrupt:  # an exception cannot cross LAMMPS
            preflight(evaluator, request.structure, self.config.skin, partial(run_here, workers=self._workers))
        if interrupt.is_set():
            raise KeyboardInterrupt
        self._trusted = evaluator

    def _hire(self, generation: Generation) -> None:
        """Have the helpers at hand, with the potential."""
        if self._workers is None:
            self._workers = hire(self.config.cores, generation)
        else:
            self._workers.load(generation)

    def _load(self, living: LivingLammps, request: Request, checkpoint: Path | None) -> None:
        """Bring LAMMPS to the segment's start; if it pauses there already, it goes on."""
        paused_at, self._paused_at = self._paused_at, None
        if checkpoint is not None and checkpoint == paused_at:
            return
        living.load(request, checkpoint)

    def _soften(
        self,
        living: LivingLammps,
        request: Request,
        watch: SegmentWatch,
        production: Callback,
    ) -> bool:
        """Lead the state over to the new potential; False if it broke, or was interrupted."""
        soft = SoftWatch(watch, self.config)
        callback = Callback(
            living.lmp,
            production.forces,
            request.rule.check_every,
            bool(request.structure.pbc.all()),
            on_look=soft.look,
            on_step=lambda: soft.thermo(living.thermo()),
        )
        callback.interrupt = production.interrupt
        try:
            ready = living.soften(
                request,
                request.checkpoint,
                callback,
                request.directory / script.SOFT_STATE,
                lambda: soft.thermo(living.thermo()),
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
    def _callback(living: LivingLammps, forces: Forces, request: Request, watch: SegmentWatch) -> Callback:
        def complete() -> None:
            if watch.pending is not None:  # asking LAMMPS at every step would take time
                watch.complete(living.thermo())

        return Callback(
            living.lmp,
            forces,
            request.rule.check_every,
            bool(request.structure.pbc.all()),
            on_look=lambda look: watch.look(look) is not None,
            on_step=complete,
        )

    @staticmethod
    def _run(living: LivingLammps, request: Request, callback: Callback, watch: SegmentWatch, log: SegmentLog) -> None:
        def checkpoint(step: int) -> Path | None:
            if callback.interrupt.is_set():
                return None  # the last check goes with the unfinished stretch
            try:
                watch.complete(living.thermo())
            except Exception as error:
                callback.error = error  # the listener's, not LAMMPS's
                raise
            if watch.verdict is not None:
                return None
            path = log.write_checkpoint(step, living.save)
            watch.prune()
            return path

        living.run(request, callback, checkpoint)

    def _outcome(self, watch: SegmentWatch, log: SegmentLog) -> Exploration:
        halt_checkpoint = None
        if watch.verdict is not None and self._living is not None and watch.verdict.tier == "smooth":
            halt_checkpoint = log.write_checkpoint(watch.verdict.step, self._living.save, HALT)
            self._paused_at = None if is_triclinic(self._living.lmp) else halt_checkpoint
        return watch.outcome(self.config.steps, halt_checkpoint)
