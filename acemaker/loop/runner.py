"""The runner of a campaign: its states as methods, one after another or to the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.engines.protocol import Check, Engine
from acemaker.errors import CampaignError, StateError
from acemaker.formatting.record import Record
from acemaker.labeling.factory import GivenExecutor
from acemaker.lammps.executable import launcher_command
from acemaker.loop.authorization import admit
from acemaker.loop.callbacks import Attention
from acemaker.loop.contents import check_contents
from acemaker.loop.creation import begin
from acemaker.loop.differences import with_bounds
from acemaker.loop.extension import reopening
from acemaker.loop.journal import Journal, closing_on_error
from acemaker.loop.journaled_state import Chronicle, config_of
from acemaker.loop.messages import what_next
from acemaker.loop.progress_lines import Reporter
from acemaker.loop.reader import CampaignReader
from acemaker.loop.store import Store
from acemaker.loop.work import Work
from acemaker.loop.writable import writable
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.trainer import Trainer
from acemaker.results import Candidates, Diagnosis, Labels, Resumption, Segment, Selection, Submission, Training
from acemaker.states import State
from acemaker.utils.interrupt import Stopped

R = TypeVar(
    "R", Segment, Diagnosis, Candidates, Selection, Labels | Submission, Labels, Submission, Training, Resumption
)


class CampaignRunner(CampaignReader):
    """One on-the-fly run that this process moves; made by `create` or `open`.

    Every step can be called by itself (`explore`, `diagnose`, ...), one after another (`step`), as a
    generator (`steps`) or to the end (`run`): it is the same code. What a step returns is in the journal
    before the next begins, so that a campaign that was killed goes on where it was.

    Parameters
    ----------
    store
        The campaign's files.
    journal
        Its open journal.
    engine, oracle, trainer_factory, executor
        What runs and labels, what makes that which trains, and where labels are made; those of the configuration if
        None.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        *,
        engine: Engine | None = None,
        oracle: Oracle | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | None = None,
    ) -> None:
        self._chronicle = Chronicle(journal)
        super().__init__(store, self._chronicle)
        self._work = Work(self._chronicle, store, engine, oracle, trainer_factory, executor)
        self._attention = Attention()
        self._work.exploring.on_check = self._attention.check
        self._work.on_iteration = self._attention.iteration
        self._work.labels.on_wait = self._attention.stop_if_wanted

    @classmethod
    def create(
        cls,
        directory: str | Path,
        config: CampaignConfig,
        *,
        structure: Atoms | None = None,
        engine: Engine | None = None,
        oracle: Oracle | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | None = None,
    ) -> Self:
        """Make a campaign, or go on with it if it is there already.

        One that failed before its first label has cost nothing: a changed configuration takes its place. One with more
        ``steps`` lets the trajectories go on, where temperature and pressure stay.

        Parameters
        ----------
        directory
            Where it lives.
        config
            Everything that defines it.
        structure
            The structure with which the trajectory starts, instead of ``config.system``'s; with several walkers, that
            of those that name none of their own.
        engine, oracle, trainer_factory
            Your own, instead of those of the configuration.
        executor
            Your own `concurrent.futures.Executor`, or a callable without arguments that makes one.

        Returns
        -------
        Campaign

        Raises
        ------
        ConfigError, StructureError, MissingLibraryError
            Before anything is written.
        CampaignExistsError
            If another campaign lives there.
        CampaignLockedError
            If another process has it open.
        CampaignError
            If the directory cannot be written.
        """
        store = Store(Path(directory).resolve())
        journal = begin(
            store,
            config,
            structure=structure,
            engine=engine,
            oracle=oracle,
            trainer_factory=trainer_factory,
            executor=executor,
        )
        with closing_on_error(journal), writable(store.directory):
            return cls(store, journal, engine=engine, oracle=oracle, trainer_factory=trainer_factory, executor=executor)

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        engine: Engine | None = None,
        oracle: Oracle | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | str | None = None,
        trust: bool = False,
        **bounds: Any,
    ) -> Self:
        """Open a campaign; one that had failed goes on at the step that failed.

        Parameters
        ----------
        directory
            Where it lives.
        engine, oracle, trainer_factory, executor
            Your own, if it was created with your own.
        trust
            Your word that what the directory names may be run here: callables by their dotted paths, command lines.
            Not needed for what was used on this machine before.
        **bounds
            New values of what may change: ``max_otf_iterations``, ``max_labels``, ``max_stalled_halts``,
            ``max_retries``, ``resume_from``, ``hang_after``, ``lammps``, ``launcher``, ``explore_workers``,
            ``pacemaker_environment``, ``embed_tries``, ``embed_force_error``, ``n_workers``, ``executor_arguments``,
            ``max_atoms``, ``oracle_timeout``, ``scratch``, ``espresso_command``, ``label_store``, ``quiet_steps``,
            ``quiet_walkers``, ``plateau_generations``, ``plateau_tolerance``, ``executor`` by its name, and ``steps``:
            more of them, where temperature and pressure stay, with which one that was done goes on.

        Returns
        -------
        Campaign

        Raises
        ------
        CampaignError
            If there is none, its journal cannot be read, or the directory cannot be written or holds links.
        CampaignLockedError
            If another process has it open.
        UntrustedError
            If the directory names programs or code that were not used on this machine before.
        ConfigError
            For a bound that does not exist, or cannot be had.
        MissingLibraryError
            If there is no such `launcher` here.
        """
        store = Store(Path(directory).resolve())
        with writable(store.directory):
            check_contents(store.directory)
            journal = Journal(store.journal) if store.journal.exists() else None
        if journal is None or not journal.events:
            raise CampaignError(f"there is no campaign in {store.directory}; Campaign.create makes one")
        with closing_on_error(journal), writable(store.directory):
            if isinstance(executor, str):  # a bound that has the name of an object
                bounds, executor = {**bounds, "executor": executor}, None
            config = with_bounds(config_of(journal.events), bounds)
            changed = reopening(store, journal.events, config)
            objects = {"engine": engine, "oracle": oracle, "trainer_factory": trainer_factory, "executor": executor}
            admit(config, store.directory, trust=trust, bounds=bounds, objects=objects)
            if engine is None:
                launcher_command(config.engine.launcher)
            journal.append("reopened", **changed)
            return cls(store, journal, engine=engine, oracle=oracle, trainer_factory=trainer_factory, executor=executor)

    @property
    def recent(self) -> tuple[Record, ...]:
        """What the last EXPLORE and the states after it have returned to this process, oldest first."""
        return self._work.results

    def __enter__(self) -> Self:
        """Close the campaign at the end of a ``with`` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, whatever happened."""
        self.close()

    def close(self) -> None:
        """End the engine and labels that are being made here, and let other processes open the campaign."""
        self._work.labels.close()
        self._work.exploring.close()
        self._chronicle.close()

    @property
    def own_oracle(self) -> Oracle | None:
        """The oracle object that was handed to `create` or `open`; None where the configuration names one."""
        return self._work.labels.own_oracle

    def prepare(self) -> Training:
        """Label the first structures and train generation 0.

        Returns
        -------
        Training

        Raises
        ------
        StateError
            If there is a generation already.
        """
        if self.state is State.LABEL and self.progress.halt == 0:
            self.label()
        if self.state is not State.TRAIN or self.progress.halt:
            exists = "generation 0 exists already; " if self.progress.generation >= 0 else ""
            raise StateError(exists + self._what_next())
        return self.train()

    def explore(self) -> Segment:
        """Run until the requested steps or a halt."""
        return self._perform(State.EXPLORE, self._work.explore)

    def diagnose(self) -> Diagnosis:
        """Find the anchor and the epicentre of the halt."""
        return self._perform(State.DIAGNOSE, self._work.diagnose)

    def generate(self) -> Candidates:
        """Make candidates around the anchor."""
        return self._perform(State.GENERATE, self._work.generate)

    def select(self) -> Selection:
        """Choose what to label."""
        return self._perform(State.SELECT, self._work.select)

    def label(self) -> Labels:
        """Ask the oracle, and wait for all labels: `submit`, then `collect` until none is missing."""
        return self._perform(State.LABEL, self._work.label)

    def submit(self) -> Submission:
        """Hand the selected structures out to be labelled, and return at once.

        Returns
        -------
        Submission
            What was handed out, and where to. Calling it again hands out nothing twice.
        """
        return self._perform(State.LABEL, self._work.submit)

    def collect(self) -> Labels | Submission:
        """Take in the labels that are there.

        Returns
        -------
        Labels or Submission
            `Labels`, as from `label`, if that is all; else what is missing.
        """
        return self._perform(State.LABEL, self._work.collect)

    def train(self) -> Training:
        """Make the next generation."""
        return self._perform(State.TRAIN, self._work.train)

    def resume(self) -> Resumption:
        """Decide from where the trajectory goes on."""
        return self._perform(State.RESUME, self._work.resume)

    def step(self) -> Record:
        """Do what comes next.

        Returns
        -------
        Record
            What that state returns.

        Raises
        ------
        StateError
            If the campaign is done, or has failed.
        """
        methods: dict[State, Callable[[], Record]] = {
            State.EXPLORE: self.explore,
            State.HALT: self.diagnose,
            State.DIAGNOSE: self.diagnose,
            State.GENERATE: self.generate,
            State.SELECT: self.select,
            State.LABEL: self.label,
            State.TRAIN: self.train,
            State.RESUME: self.resume,
        }
        if self.state not in methods:
            raise StateError(self._what_next())
        return methods[self.state]()

    def steps(self) -> Iterator[Record]:
        """Do one state after another until the campaign is done, or somebody calls `stop`.

        Yields
        ------
        Record
            What each state returns.
        """
        with self._attention.stepping(), self._work.exploring.running_ahead(), contextlib.suppress(Stopped):
            while self.state is not State.DONE and not self._attention.stop_wanted:
                yield self.step()

    def run(self, max_steps: int | None = None, *, progress: bool = False) -> Self:
        """Go on until the campaign is done.

        Parameters
        ----------
        max_steps
            Stop after so many states; all by default.
        progress
            Print a line for each state, and for each tenth of the trajectory and of a non-linear fit.

        Returns
        -------
        Campaign
            This one.
        """
        in_turn = (lambda: self.progress.walker) if self.n_walkers > 1 else None
        reporter = Reporter(self.config.engine.steps, in_turn) if progress else None
        before = self._work.labels.on_label
        if reporter is not None:
            self._work.labels.on_label = reporter.label
        with self._attention.heard_by(reporter):
            try:
                for result in islice(self.steps(), max_steps):
                    if reporter is not None:
                        reporter.result(result)
            except KeyboardInterrupt:
                if reporter is not None:
                    reporter.interrupted(self.directory)
                raise
            finally:
                self._work.labels.on_label = before
        return self

    def stop(self) -> None:
        """Ask `run` or `steps` to stop, from another thread; in their own, Ctrl-C does so.

        The engine stops at the next check, a non-linear fit at its next iteration, and labels are waited for no more;
        other states stop when they are done. The same campaign goes on later.
        """
        self._attention.want_stop()

    def choose(self, candidates: Sequence[int]) -> Selection:
        """Decide what is labelled, instead of what was selected, before any of it is paid for.

        The decision is journalled. Where the anchor is left out, the guard may find it still unknown after the
        training, and ask for another selection.

        Parameters
        ----------
        candidates
            Numbers of those to label, the most wanted first; the others stay in reserve.

        Returns
        -------
        Selection

        Raises
        ------
        StateError
            If nothing has been selected at this halt, or labels have been made since.
        ConfigError
            If a number is no open candidate's, or comes twice, or there is none.
        LabelBudgetError
            If these are more than are left of ``max_labels``.
        """
        with self._attention.at_work("choose"), writable(self.directory):
            if self.state is not State.LABEL or not self.progress.selections:
                raise StateError(f"there is no selection to change: {self._what_next()}")
            selection, kept = self._work.choose(candidates)
            self._chronicle.append("chosen", **kept)
            self._work.remember(State.SELECT, selection)
        return selection

    def listen(
        self,
        on_check: Callable[[Check], None] | None,
        on_iteration: Callable[[Iteration], None] | None = None,
    ) -> None:
        """Have functions called while the engine runs, and while a potential is fitted step by step.

        Parameters
        ----------
        on_check
            With each check of gamma. Must be quick, since the engine waits for it; None to stop listening.
        on_iteration
            With each iteration of an optimiser, by trainers that have one.
        """
        self._attention.listen(on_check, on_iteration)

    def _what_next(self) -> str:
        return what_next(self.progress, self.directory)

    def _perform(self, state: State, work: Callable[[], tuple[R, dict[str, Any]]]) -> R:
        with self._attention.at_work(state.lower()), writable(self.directory):
            if self.state is State.HALT and state is State.DIAGNOSE:
                self._chronicle.append("step", state=State.HALT, next=State.DIAGNOSE)
            if self.state is not state:
                raise StateError(f"cannot {state.lower()} now: {self._what_next()}")
            return self._do(state, work)

    def _do(self, state: State, work: Callable[[], tuple[R, dict[str, Any]]]) -> R:
        started = time.perf_counter()
        try:
            with writable(self.directory):
                result, kept = work()
                if isinstance(result, Submission):  # the step is not complete
                    return result
                wall = round(time.perf_counter() - started, 4)
                self._chronicle.append("step", state=state, next=result.next, wall_s=wall, **kept)
        except BaseException as error:
            self._work.forget_trainer()
            if isinstance(error, Exception):  # Ctrl-C is no failure
                with contextlib.suppress(OSError):  # on a full disk, this error is the one to tell
                    self._chronicle.append("failed", state=state, error=type(error).__name__, message=str(error))
            raise
        self._work.remember(state, result)
        return result
