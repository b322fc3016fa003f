"""The work of EXPLORE: an engine for each walker, and the state from which each of them continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ase import Atoms

from acemaker import steps
from acemaker.engines.checkpoints import check_restart
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Check, Engine, Request
from acemaker.engines.segment_pool import SegmentPool
from acemaker.errors import AcemakerError, DamagedFileError, EngineError
from acemaker.loop.committee import CommitteeWork
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.probes import next_probe
from acemaker.loop.progress import Walker
from acemaker.loop.store import Store
from acemaker.loop.trusted_code import generation_of
from acemaker.loop.uncertainty import measure_of, tolerance_in_force
from acemaker.potentials.generation import Generation
from acemaker.results import Segment
from acemaker.structures.files import read_structures

LOOKAHEAD = 100
"""Number of walkers, from the current one, whose segments may run in advance."""


class ExploreWork:
    """Explores the segments of all walkers.

    Parameters
    ----------
    journaled
        The journal and its state.
    store
        Names of the campaign's files.
    engine
        The user's engine, which runs the segments of all walkers; None for the engines of the configuration.
    committee
        Calculators whose forces are compared during a run.
    """

    def __init__(
        self, journaled: JournaledState, store: Store, engine: Engine | None, committee: CommitteeWork
    ) -> None:
        self._journaled, self._store, self._own, self._committee = journaled, store, engine, committee
        self.starts = read_structures(store.initial)
        self._engines: dict[int, Engine] = {}
        self._pool: SegmentPool | None = None
        self._in_advance = False
        self.on_check: Callable[[Check], None] | None = None
        self._engine(1)  # so that an engine that cannot be created is reported when a campaign is opened

    def explore(self) -> Segment:
        """Explore the next segment of the current walker."""
        try:
            return self._explore()
        except BaseException:
            self.rest()
            raise

    @contextmanager
    def running_ahead(self) -> Iterator[None]:
        """Let other walkers run in parallel to the current one within a block."""
        self._in_advance = True
        try:
            yield
        finally:
            self._in_advance = False
            self.rest()

    def rest(self) -> None:
        """Stop the other walkers; each continues from its last checkpoint when it is its turn."""
        if self._pool is not None:
            self._pool.close()

    def _explore(self) -> Segment:
        progress = self._journaled.progress
        number = len(progress.segments) + 1
        request, runner = self._request(progress.walker, number), self._engine(progress.walker)
        checkpoints = {self._store.absolute(name) for name in self._needed_checkpoints()}
        self._store.keep_checkpoints(checkpoints, number - 1)
        halt_number = len(progress.halts) + 1
        segment = steps.explore(
            request,
            self._parallel(request) or runner,
            halt_number=halt_number,
            halt_file=self._store.halt(halt_number),
        )
        several = len(progress.walkers) > 1
        if several and self._own is None:
            runner.close()  # a LAMMPS instance per walker would not fit into memory
        return replace(
            segment,
            walker=progress.walker if several else None,
            next=progress.after_segment(halted=segment.halt is not None),
        )

    def close(self) -> None:
        """Stop running segments, and free the resources of the engines."""
        self.rest()
        for engine in self._engines.values():
            engine.close()

    def _parallel(self, request: Request) -> SegmentPool | None:
        """Start as many segments of this round as run in parallel; return None if only one does."""
        progress, n_parallel = self._journaled.progress, self._journaled.config.engine.n_parallel_walkers
        if n_parallel == 1 or not self._in_advance or self._own is not None or len(progress.walkers) == 1:
            return None
        if self._pool is None:
            self._pool = SegmentPool(n_parallel)
        if not self._pool.has(request.number):
            self._pool.begin(self._engine(request.walker), request)
        for number, walker in enumerate(progress.exploring[:LOOKAHEAD], start=request.number):
            if not self._pool.has(number):
                with suppress(AcemakerError):  # it is raised again when it is this walker's turn
                    self._pool.begin(self._engine(walker), self._request(walker, number))
        return self._pool

    def _engine(self, walker: int) -> Engine:
        if walker not in self._engines:
            config = self._journaled.config.walker(walker)
            self._engines[walker] = self._own or make_engine(config.engine, config.seed)
        return self._engines[walker]

    def _request(self, walker: int, number: int) -> Request:
        progress = self._journaled.progress
        current = progress.walkers[walker - 1]
        checkpoint, state = self._store.absolute(current.checkpoint), self._state(current)
        if checkpoint is not None and state is None:
            check_restart(checkpoint)
        config, generation = self._journaled.config, self._generation(progress.generation)
        return Request(
            number=number,
            walker=walker,
            structure=self.starts[walker - 1],
            start_step=current.step,
            checkpoint=checkpoint if state is None else None,
            generation=generation,
            rule=config.otf,
            directory=self._store.segment(number),
            on_check=self.on_check,
            soft_start=current.n_segments > 0 and current.generation != progress.generation,
            state=state,
            probe_step=next_probe(config, progress, walker),
            measure=measure_of(config, generation, self._committee),
            tolerance=tolerance_in_force(config, progress, walker, generation),
        )

    def _needed_checkpoints(self) -> set[str]:
        """Return the names of the restart files from which walkers continue now or after their halts are healed."""
        progress = self._journaled.progress
        needed = {walker.checkpoint for walker in progress.walkers}  # ended walkers may continue with more steps
        for number in progress.halted:
            halt_number = progress.walkers[number - 1].halted
            assert halt_number is not None
            halt = progress.halts[halt_number - 1]
            needed |= {halt["safe_checkpoint"], halt["halt_checkpoint"]}
        return {name for name in needed if name is not None}

    def _generation(self, number: int | None) -> Generation:
        assert number is not None, "nothing is explored before the first generation"
        return generation_of(self._store, number, self._journaled.config)

    def _state(self, walker: Walker) -> Atoms | None:
        """Return the frame to continue from if there is no restart file, or it must not be read."""
        number = walker.frame_halt  # the last RESUME chose a frame
        if number is None and walker.step and self._journaled.config.otf.resume_from == "structure":
            number = walker.healed  # it chose a restart file, which must not be read any more
        if number is None:
            return None
        file = self._store.halt(number)
        problem = f"{file} contains no frame of it with velocities"
        try:
            for atoms in read_structures(file):
                if atoms.info["step"] == walker.step and atoms.has("momenta"):
                    return atoms
        except DamagedFileError as error:
            problem = str(error)
        if walker.frame_halt is not None:
            raise EngineError(
                f"the trajectory cannot continue from step {walker.step}: there is no restart file, and {problem}; "
                f"restore {file} from a copy of the campaign"
            )
        return None
