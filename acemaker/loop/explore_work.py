"""The work of EXPLORE: an engine for each walker, and from where each of them goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ase import Atoms

from acemaker import steps
from acemaker.engines.checkpoints import check_restart
from acemaker.engines.factory import make_engine
from acemaker.engines.protocol import Check, Engine, Request
from acemaker.engines.segment_pool import Team
from acemaker.errors import AcemakerError, DamagedFileError, EngineError
from acemaker.loop.authorization import generation_of
from acemaker.loop.journaled_state import Chronicle
from acemaker.loop.store import Store
from acemaker.loop.walker import Walker
from acemaker.potentials.generation import Generation
from acemaker.results import Segment
from acemaker.structures.files import read_structures

AHEAD = 100
"""Walkers, from the one whose turn it is, whose segments are begun before they are asked for."""


class ExploreWork:
    """Explores the segments of all walkers.

    Parameters
    ----------
    chronicle
        Where the campaign stands.
    store
        Its files.
    engine
        The user's own, which gets the segments of all walkers; None for those of the configuration.
    """

    def __init__(self, chronicle: Chronicle, store: Store, engine: Engine | None) -> None:
        self._chronicle, self._store, self._own = chronicle, store, engine
        self.starts = read_structures(store.initial)
        self._engines: dict[int, Engine] = {}
        self._team: Team | None = None
        self._ahead = False
        self.on_check: Callable[[Check], None] | None = None
        self._engine(1)  # one that cannot be made is missed when a campaign is opened

    def explore(self) -> Segment:
        """Explore the segment of the walker whose turn it is."""
        try:
            return self._explore()
        except BaseException:
            self.rest()
            raise

    @contextmanager
    def running_ahead(self) -> Iterator[None]:
        """Let other walkers explore beside the one that is asked for, for the time of a block."""
        self._ahead = True
        try:
            yield
        finally:
            self._ahead = False
            self.rest()

    def rest(self) -> None:
        """Stop walkers that explore beside; they go on from their last checkpoints in their turn."""
        if self._team is not None:
            self._team.close()

    def _explore(self) -> Segment:
        progress = self._chronicle.progress
        number = len(progress.segments) + 1
        request, runner = self._request(progress.walker, number), self._engine(progress.walker)
        checkpoints = {self._store.absolute(name) for name in self._needed()}
        self._store.keep_checkpoints(checkpoints, number - 1)
        halt_number = len(progress.halts) + 1
        segment = steps.explore(
            request,
            self._together(request) or runner,
            halt_number=halt_number,
            halt_file=self._store.halt(halt_number),
        )
        several = len(progress.walkers) > 1
        if several and self._own is None:
            runner.close()  # a LAMMPS for each of a thousand walkers would not fit
        return replace(
            segment,
            walker=progress.walker if several else 0,
            next=progress.after_segment(halted=segment.halt is not None),
        )

    def close(self) -> None:
        """Stop what runs, and free what the engines hold."""
        self.rest()
        for engine in self._engines.values():
            engine.close()

    def _together(self, request: Request) -> Team | None:
        """Begin as many segments of this round as can run at a time; None where one does."""
        progress, n_workers = self._chronicle.progress, self._chronicle.config.engine.explore_workers
        if n_workers == 1 or not self._ahead or self._own is not None or len(progress.walkers) == 1:
            return None
        if self._team is None:
            self._team = Team(n_workers)
        if not self._team.has(request.number):
            self._team.begin(self._engine(request.walker), request)
        for number, walker in enumerate(progress.exploring[:AHEAD], start=request.number):
            if not self._team.has(number):
                with suppress(AcemakerError):  # which is told when it is this walker's turn
                    self._team.begin(self._engine(walker), self._request(walker, number))
        return self._team

    def _engine(self, walker: int) -> Engine:
        if walker not in self._engines:
            config = self._chronicle.config.walker(walker)
            self._engines[walker] = self._own or make_engine(config.engine, config.seed)
        return self._engines[walker]

    def _request(self, walker: int, number: int) -> Request:
        progress = self._chronicle.progress
        stands = progress.walkers[walker - 1]
        checkpoint, state = self._store.absolute(stands.checkpoint), self._state(stands)
        if checkpoint is not None and state is None:
            check_restart(checkpoint)
        return Request(
            number=number,
            walker=walker,
            structure=self.starts[walker - 1],
            start_step=stands.step,
            checkpoint=checkpoint if state is None else None,
            generation=self._generation(progress.generation),
            rule=self._chronicle.config.otf,
            directory=self._store.segment(number),
            on_check=self.on_check,
            soft_start=stands.n_segments > 0 and stands.generation != progress.generation,
            state=state,
        )

    def _needed(self) -> set[str]:
        """Name the restart files from which walkers go on, or may do so once their halts are healed."""
        progress = self._chronicle.progress
        needed = {one.checkpoint for one in progress.walkers}  # those that have ended may be given more steps
        for walker in progress.halted:
            halt = progress.halts[progress.walkers[walker - 1].halted - 1]
            needed |= {halt["safe_checkpoint"], halt["halt_checkpoint"]}
        return {name for name in needed if name is not None}

    def _generation(self, number: int) -> Generation:
        return generation_of(self._store, number, self._chronicle.config)

    def _state(self, walker: Walker) -> Atoms | None:
        """Return the frame to go on from, where there is no restart file or it is not to be read."""
        number = walker.frame_halt  # where the last RESUME chose a frame
        if not number and walker.step and self._chronicle.config.otf.resume_from == "structure":
            number = walker.healed  # where the restart file that it chose is not to be read any more
        if not number:
            return None
        file = self._store.halt(number)
        why = "no frame of it is there"
        try:
            for atoms in read_structures(file):
                if atoms.info["step"] == walker.step and atoms.has("momenta"):
                    return atoms
        except DamagedFileError as error:
            why = str(error)
        if walker.frame_halt:
            raise EngineError(
                f"nothing leads to step {walker.step}: there is no restart file, and of the frames in {file} {why}; "
                "restore it from a copy of the campaign"
            )
        return None
