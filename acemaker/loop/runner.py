"""The runner of a campaign: its states as methods, and their execution one after another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypedDict, TypeVar

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import CampaignConfig
from acemaker.engines.protocol import Check, Engine
from acemaker.errors import CampaignError, StateError
from acemaker.formatting.record import Record
from acemaker.labeling.factory import GivenExecutor
from acemaker.labeling.request import CollectedLabel
from acemaker.lammps.executable import launcher_command
from acemaker.loop.callbacks import Callback, WorkControl
from acemaker.loop.changing import change_fields, check_changes
from acemaker.loop.compatibility import reopened_fields, with_changes
from acemaker.loop.creation import create_journal
from acemaker.loop.editing import LabelEditing
from acemaker.loop.journal import Journal, closing_on_error
from acemaker.loop.journaled_state import JournaledState, config_of, journal_errors
from acemaker.loop.label_files import report_changed
from acemaker.loop.oracle_files import accepted_files
from acemaker.loop.progress import Progress
from acemaker.loop.progress_report import ProgressLines, logger, progress_shown
from acemaker.loop.reader import what_next
from acemaker.loop.store import Store, check_contents, contained, translated_os_errors
from acemaker.loop.trusted_code import authorize
from acemaker.loop.work import Work
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.user_oracle import as_oracle
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.trainer import Trainer
from acemaker.results import (
    Candidates,
    Committee,
    Diagnosis,
    Labels,
    Resumption,
    Segment,
    Selection,
    Submission,
    Training,
)
from acemaker.states import State
from acemaker.structures.files import read_structures
from acemaker.utils.interrupt import StopRequested

R = TypeVar(
    "R", Segment, Diagnosis, Candidates, Selection, Labels | Submission, Labels, Submission, Training, Resumption
)


class OwnObjects(TypedDict):
    """Objects of the user that replace those of the configuration; None where there is none."""

    engine: Engine | None
    oracle: Oracle | None
    trainer_factory: Callable[[], Trainer] | None
    executor: GivenExecutor | None


class CampaignRunner(LabelEditing):
    """A campaign that this process runs; `create` and `open` return one.

    Each state can be run by itself (`explore`, `diagnose`, ...), one after another (`step`), as a generator (`steps`)
    or to the end (`run`), all with the same code. The result of a state is in the journal before the next one begins,
    so that a campaign that was killed continues from there.

    Parameters
    ----------
    store
        The campaign's files.
    journal
        The open journal.
    engine, oracle, trainer_factory, executor
        The user's engine, oracle, factory of the trainer, and executor of the labels; None for those of the
        configuration.
    callbacks
        Called while the campaign works, see `Callback`.

    Attributes
    ----------
    callbacks : list of Callback
        Called while the campaign works. Callbacks may be appended or removed at any time.
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
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._journaled = JournaledState(journal)
        super().__init__(store, self._journaled)
        self._work = Work(self._journaled, store, engine, oracle, trainer_factory, executor)
        self.callbacks = list(callbacks)
        self._lines = ProgressLines(
            self.config.engine.steps, (lambda: self.progress.walker) if self.n_walkers > 1 else None
        )
        self._control = WorkControl()
        self._work.exploring.on_check = self._pass_on_check
        self._work.on_iteration = self._pass_on_iteration
        self._work.labels.on_label = self._pass_on_label
        self._work.labels.on_wait = self._control.stop_if_requested
        self._work.committee.on_wait = self._control.stop_if_requested

    @classmethod
    def create(
        cls,
        directory: str | Path,
        config: CampaignConfig,
        *,
        exist_ok: bool = False,
        structure: Atoms | None = None,
        engine: Engine | None = None,
        oracle: Oracle | BaseCalculator | Callable[..., Any] | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | None = None,
        callbacks: Sequence[Callback] = (),
        allow_code: bool = False,
    ) -> Self:
        """Create a campaign.

        Parameters
        ----------
        directory
            Where its files are written.
        config
            Everything that defines it.
        exist_ok
            Whether to continue the campaign in this directory if there is one with the same configuration, for example
            in a notebook's cell that is run again. More ``steps`` are accepted if temperature and pressure are
            constant. A campaign that failed before its first potential was used is replaced if its configuration
            differs; its labels are used again where structure and oracle are the same.
        structure
            The structure with which the trajectory starts, instead of that of ``config.system``; with several walkers,
            it is used for those that do not define their own.
        engine, trainer_factory
            Your own objects, instead of those of the configuration.
        oracle
            Your own oracle, instead of that of the configuration (``oracle="object"``): an ASE calculator, a function
            without arguments that returns one, a function of one structure that returns (energy, forces, stress), or
            an object with a method ``label``. Before anything is written, it is called a few times, unless it starts a
            program: once or twice if a label takes longer than a second.
        executor
            Your own `concurrent.futures.Executor`, or a callable without arguments that returns one.
        callbacks
            Called while the campaign works, see `Callback`.
        allow_code
            Whether the pickled data frames among ``first_labels`` may be read, which can run code that is in them. Not
            needed for files that were allowed on this machine before.

        Returns
        -------
        Campaign

        Raises
        ------
        ConfigError, StructureError, MissingLibraryError
            Before anything is written.
        UntrustedError
            If ``first_labels`` contains a pickled file that is not allowed; nothing is written.
        CampaignExistsError
            If the directory contains a campaign; with `exist_ok`, if it contains another one.
        CampaignLockedError
            If another process has it open.
        CampaignError
            If the directory cannot be written.
        """
        store = Store(Path(directory).resolve())
        labels = None if oracle is None else as_oracle(oracle, config.oracle)
        objects = OwnObjects(engine=engine, oracle=labels, trainer_factory=trainer_factory, executor=executor)
        journal = create_journal(
            store, config, exist_ok=exist_ok, structure=structure, allow_code=allow_code, **objects
        )
        with closing_on_error(journal), translated_os_errors(store.directory):
            return cls(store, journal, callbacks=callbacks, **objects)

    @classmethod
    def open(
        cls,
        directory: str | Path,
        *,
        engine: Engine | None = None,
        oracle: Oracle | BaseCalculator | Callable[..., Any] | str | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | str | None = None,
        callbacks: Sequence[Callback] = (),
        allow_code: bool = False,
        accept_oracle_files: bool = False,
        **changes: Any,
    ) -> Self:
        """Open a campaign; one that failed continues with the state that failed.

        Parameters
        ----------
        directory
            The campaign's directory.
        engine, oracle, trainer_factory, executor
            Your own objects, if it was created with them.
        callbacks
            Called while the campaign works, see `Callback`.
        allow_code
            Whether the callables and command lines that the directory names may be run. Not needed for those that were
            used on this machine before.
        accept_oracle_files
            Whether to label with the files of the oracle as they are now (potentials, pseudopotentials, a script, a
            model), even if their contents differ from those with which the campaign was created.
        **changes
            New values of changeable fields: ``max_otf_iterations``, ``max_labels``, ``max_stalled_halts``,
            ``max_retries``, ``n_probes``, ``resume_from``, ``hang_after``, ``lammps``, ``launcher``,
            ``n_parallel_walkers``, ``check_course``, ``pacemaker_environment``, ``embed_tries``,
            ``embed_force_error``, ``n_parallel_labels``, ``executor_arguments``, ``max_atoms``, ``oracle_timeout``,
            ``scratch``, ``espresso_command``, ``label_store``, ``oracle_check``, ``quiet_steps``, ``quiet_walkers``,
            ``plateau_generations``, ``plateau_tolerance``, ``target_force_error``, ``max_error_share``,
            ``committee_environment``, ``committee_timeout``, the name of an ``executor``, and ``steps``, which may
            increase if temperature and pressure are constant; a campaign that is done then continues. From now on, also
            ``threshold_add_train``, ``threshold_call_dft``, ``threshold_break``, ``check_every``, ``smooth_steps``,
            ``force_error_tolerance``, ``uncertainty_every``, ``n_candidates``, ``n_select``, ``strategies``,
            ``candidate_radius``, ``candidate_temperature``, ``perturbation_scale``, ``mode_atoms``,
            ``mode_calculator``, ``burst_steps``, ``strain_scale``, ``min_distance_fraction``, ``trajectory_every``,
            ``n_force_processes``, ``committee_size``, ``committee_options``, ``committee_retrain``, and all settings of
            the oracle, after which `relabel` has the earlier labels computed again. A segment that was interrupted ends
            at its last checkpoint if it depends on these. Each change is recorded in the journal and shown by
            `changes`.

        Returns
        -------
        Campaign

        Raises
        ------
        CampaignError
            If there is no campaign, its journal cannot be read, or the directory cannot be written or contains links.
        CampaignLockedError
            If another process has it open.
        UntrustedError
            If the directory names programs or code that were not used on this machine before.
        ConfigError
            If a field is not changeable, or its value is not possible.
        MissingLibraryError
            If the program of `launcher` does not exist.
        """
        store = Store(Path(directory).resolve())
        with translated_os_errors(store.directory):
            check_contents(store.directory)
            journal = Journal(store.journal) if store.journal.exists() else None
        if journal is None or not journal.events:
            raise CampaignError(f"there is no campaign in {store.directory}; create one with Campaign.create")
        with closing_on_error(journal), translated_os_errors(store.directory):
            if isinstance(executor, str):  # the field, not an object
                changes, executor = {**changes, "executor": executor}, None
            if isinstance(oracle, str):
                changes, oracle = {**changes, "oracle": oracle}, None
            old = config_of(journal.events)
            config = with_changes(old, changes)
            changed = reopened_fields(store, journal.events, config)
            labels = None if oracle is None else as_oracle(oracle, config.oracle)
            objects = OwnObjects(engine=engine, oracle=labels, trainer_factory=trainer_factory, executor=executor)
            authorize(config, store.directory, allow_code=allow_code, changes=changes, objects=objects)
            if engine is None:
                launcher_command(config.engine.launcher)
            if config != old:
                with journal_errors():
                    progress = Progress().apply_all(journal.events)
                check_changes(store, progress, old, config, engine=engine, oracle=labels, executor=executor)
                changed |= change_fields(store, progress, old, config, accept_oracle_files=accept_oracle_files)
            sums = ((event["file"], event["sum"]) for event in journal.events if "sum" in event)
            report_changed((contained(store.directory, file), expected) for file, expected in sums)
            if accept_oracle_files:
                changed["oracle_files"] = accepted_files(config.oracle, _elements(store)) if oracle is None else {}
            journal.append("reopened", **changed)
            campaign = cls(store, journal, callbacks=callbacks, **objects)
            if allow_code:
                campaign._work.committee.allow()
            return campaign

    @property
    def recent(self) -> tuple[Record, ...]:
        """Results of the last EXPLORE and the states after it in this process, oldest first."""
        return self._work.results

    def __enter__(self) -> Self:
        """Return the campaign, which is closed at the end of a ``with`` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the campaign."""
        self.close()

    def close(self) -> None:
        """End the engine and the labeling in this process, and let other processes open the campaign."""
        self._work.labels.close()
        self._work.exploring.close()
        self._work.committee.close()
        self._journaled.close()

    @property
    def own_oracle(self) -> Oracle | None:
        """The oracle object that was passed to `create` or `open`; None if the configuration names the oracle."""
        return self._work.labels.own_oracle

    def prepare(self) -> Training:
        """Label the initial structures and train the first generation.

        Returns
        -------
        Training

        Raises
        ------
        StateError
            If there is a generation.
        """
        if self.state is State.LABEL and self.progress.halt is None:
            self.label()
        if self.state is not State.TRAIN or self.progress.halt is not None:
            reason = "there is a generation already; " if self.progress.generation is not None else ""
            raise StateError(reason + self._what_next())
        return self.train()

    def explore(self) -> Segment:
        """Run until the requested steps or a halt."""
        return self._perform(State.EXPLORE, self._work.explore)

    def diagnose(self) -> Diagnosis:
        """Find the halted structure and the epicenter of the halt."""
        return self._perform(State.DIAGNOSE, self._work.diagnose)

    def generate(self) -> Candidates:
        """Generate candidates around the halted structure."""
        return self._perform(State.GENERATE, self._work.generate)

    def select(self) -> Selection:
        """Select the candidates to label."""
        return self._perform(State.SELECT, self._work.select)

    def label(self) -> Labels:
        """Label the selected structures, and wait for all labels: `submit`, then `collect` until none is missing."""
        return self._perform(State.LABEL, self._work.label)

    def submit(self) -> Submission:
        """Hand out the selected structures to be labeled, and return immediately.

        Returns
        -------
        Submission
            The structures that were handed out, and where. Another call hands out nothing twice.
        """
        return self._perform(State.LABEL, self._work.submit)

    def collect(self) -> Labels | Submission:
        """Collect the labels that are finished.

        Returns
        -------
        Labels or Submission
            `Labels`, as from `label`, if all are finished; otherwise a `Submission` that lists the missing ones.
        """
        return self._perform(State.LABEL, self._work.collect)

    def train(self) -> Training:
        """Train the next generation."""
        return self._perform(State.TRAIN, self._work.train)

    def resume(self) -> Resumption:
        """Choose the state from which the trajectory continues."""
        return self._perform(State.RESUME, self._work.resume)

    def step(self) -> Record:
        """Run the next state.

        Returns
        -------
        Record
            The result of that state.

        Raises
        ------
        StateError
            If the campaign is done or has failed.
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
        """Run one state after another until the campaign is done, or `stop` is called.

        Yields
        ------
        Record
            The result of each state.
        """
        with self._control.stepping(), self._work.exploring.running_ahead(), contextlib.suppress(StopRequested):
            self.finish_changes()
            while self.state is not State.DONE and not self._control.stop_requested:
                yield self.step()

    def run(self, max_states: int | None = None, *, progress: bool = False) -> Self:
        """Run one state after another until the campaign is done.

        Parameters
        ----------
        max_states
            Maximum number of states; None for no limit.
        progress
            Whether to write the progress to standard output: a line per state, per label, and per tenth of the
            trajectory and of a non-linear fit. In a terminal, and in a notebook that is open in a browser, a bar
            replaces the lines of the trajectory. The lines come from the logger ``acemaker``, with level INFO, and are
            logged with any value of `progress`.

        Returns
        -------
        Campaign
            This campaign.
        """
        with self._progress_shown() if progress else contextlib.nullcontext():
            try:
                for _ in islice(self.steps(), max_states):
                    pass
            except KeyboardInterrupt:
                logger.info(f"interrupted; all results so far are in {self.directory}, and run() continues from there")
                raise
            self._report_end()
        return self

    @contextlib.contextmanager
    def _progress_shown(self) -> Iterator[None]:
        steps = self.config.engine.steps
        with progress_shown(steps, lambda: self.progress.steps, lambda: self.progress.walker) as bar:
            if bar is not None:
                self.callbacks.append(bar)
            try:
                yield
            finally:
                self.callbacks[:] = [callback for callback in self.callbacks if callback is not bar]

    def _report_end(self) -> None:
        """Log a conclusion at the end of `run`."""

    def stop(self) -> None:
        """Request from another thread that `run` or `steps` stops; in their own thread, press Ctrl-C.

        The engine stops at the next check, a non-linear fit at its next iteration, and the wait for labels ends; other
        states stop when they are done. The campaign can be continued later.
        """
        self._control.request_stop()

    def choose(self, candidates: Sequence[int]) -> Selection:
        """Choose the candidates to label by hand, before any of them is labeled.

        The choice is recorded in the journal. Without the halted structure, gamma may remain above the threshold after
        the training, and the guard then requires another selection.

        Parameters
        ----------
        candidates
            Numbers of the candidates to label, the most important one first; the others stay in reserve.

        Returns
        -------
        Selection

        Raises
        ------
        StateError
            If there is no selection at this halt, or selected candidates have been labeled.
        ConfigError
            If `candidates` is empty or contains duplicates, or a candidate cannot be chosen.
        LabelBudgetError
            If there are more candidates than ``max_labels`` leaves.
        """
        with self._control.at_work("choose"), translated_os_errors(self.directory):
            if self.state is not State.LABEL or not self.progress.selections:
                raise StateError(f"there is no selection to change: {self._what_next()}")
            selection, fields = self._work.choose(candidates)
            self._journaled.append("chosen", **fields)
            self._work.add_result(State.SELECT, selection)
        return selection

    def train_committee(self) -> Committee:
        """Train the models of a committee on all labels, and use it from the next segment on.

        This is done automatically with each generation if `uncertainty` is ``"mace"``, or a factory of your own with a
        `committee_trainer`, unless ``committee_retrain=False``. With another `uncertainty`, MACE models are trained
        that the campaign itself does not use.

        Returns
        -------
        Committee

        Raises
        ------
        StateError
            If there are no labels.
        ConfigError
            If the calculators need no training.
        MissingLibraryError
            If there is no environment with MACE; the message contains the command that creates one.
        FitError
            If the trainer fails.
        """
        with self._control.at_work("train_committee"), translated_os_errors(self.directory):
            return self._work.committee.train()

    def _what_next(self) -> str:
        return what_next(self.progress, self.directory)

    def _perform(self, state: State, work: Callable[[], tuple[R, dict[str, Any]]]) -> R:
        with self._control.at_work(state.lower()):
            with translated_os_errors(self.directory):
                self._finish_changes()
            if self.state is State.HALT and state is State.DIAGNOSE:
                with translated_os_errors(self.directory):
                    self._journaled.append("step", state=State.HALT, next=State.DIAGNOSE)
            if self.state is not state:
                raise StateError(f"cannot {state.lower()} now: {self._what_next()}")
            return self._do(state, work)

    def _do(self, state: State, work: Callable[[], tuple[R, dict[str, Any]]]) -> R:
        started = time.perf_counter()
        try:
            with translated_os_errors(self.directory):
                result, fields = work()
                if isinstance(result, Submission):  # the state is not complete
                    return result
                wall = round(time.perf_counter() - started, 4)
                self._journaled.append("step", state=state, next=result.next, wall_s=wall, **fields)
        except BaseException as error:
            self._work.reset_trainer()
            if isinstance(error, Exception):  # Ctrl-C is not a failure
                with contextlib.suppress(OSError):  # on a full disk, the first error is the one to raise
                    self._journaled.append("failed", state=state, error=type(error).__name__, message=str(error))
            raise
        self._work.add_result(state, result)
        for callback in self._all_callbacks():
            callback.on_result(result)
        return result

    def _all_callbacks(self) -> tuple[Callback, ...]:
        return (self._lines, *self.callbacks)

    def _pass_on_check(self, check: Check) -> None:
        for callback in self._all_callbacks():
            callback.on_check(check)
        self._control.stop_if_requested()

    def _pass_on_iteration(self, iteration: Iteration) -> None:
        for callback in self._all_callbacks():
            callback.on_iteration(iteration)
        self._control.stop_if_requested()

    def _pass_on_label(self, label: CollectedLabel) -> None:
        for callback in self._all_callbacks():
            callback.on_label(label)


def _elements(store: Store) -> tuple[str, ...]:
    """Return the elements of a campaign's initial structure, in alphabetical order."""
    return tuple(sorted(set(read_structures(store.initial)[0].get_chemical_symbols())))
