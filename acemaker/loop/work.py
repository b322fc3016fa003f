"""The states' work: gathers what each step function needs, and says what the journal keeps of its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms

from acemaker import steps
from acemaker.engines.protocol import Engine
from acemaker.errors import (
    FitRejectedError,
    IterationLimitError,
    LabelBudgetError,
    NoProgressError,
    StateError,
)
from acemaker.formatting.record import Record
from acemaker.labeling.factory import GivenExecutor
from acemaker.lammps.script import ramp_temperature
from acemaker.loop import serialization
from acemaker.loop.authorization import generation_of
from acemaker.loop.contents import contained
from acemaker.loop.explore_work import ExploreWork
from acemaker.loop.journaled_state import Chronicle
from acemaker.loop.label_files import read_label
from acemaker.loop.label_work import LabelWork
from acemaker.loop.pretraining import pretraining_labels
from acemaker.loop.stall import explain_stall, halts_without_progress, what_is_wrong
from acemaker.loop.store import Store
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.generation import Generation
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.trainer import Pretrained, Trainer
from acemaker.potentials.trainers import make_trainer
from acemaker.results import Candidates, Diagnosis, Halt, Labels, Resumption, Segment, Selection, Submission, Training
from acemaker.states import State
from acemaker.structures.files import read_structures
from acemaker.structures.mask import mask_of

Kept = dict[str, Any]

RECENT = 60
"""Labels that are looked at where a campaign does not get on."""


class Work:
    """Does the work of each state.

    Every method returns the step's result and what the journal keeps of it. Results of earlier steps come
    from memory, or from the campaign's files after it was reopened; both are the same.

    Parameters
    ----------
    chronicle
        Where the campaign stands.
    store
        Its files.
    engine, oracle, trainer_factory, executor
        What explores and labels, what makes that which trains, and where labels are made; those of the configuration
        if None, made when they are needed.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        store: Store,
        engine: Engine | None = None,
        oracle: Oracle | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | None = None,
    ) -> None:
        self._chronicle = chronicle
        self._store = store
        self.exploring = ExploreWork(chronicle, store, engine)
        self._elements = tuple(sorted(set(self.exploring.starts[0].get_chemical_symbols())))
        self.labels = LabelWork(chronicle, store, self._elements, oracle, executor)
        self._trainer_factory = trainer_factory
        self._trainer: Trainer | None = None
        self._results: dict[State, Record] = {}
        self.on_iteration: Callable[[Iteration], None] | None = None

    @property
    def results(self) -> tuple[Record, ...]:
        """Results in memory, of the last EXPLORE and what followed."""
        return tuple(self._results.values())

    def remember(self, state: State, result: Record) -> None:
        """Keep the result of a completed step in memory."""
        self._results[state] = result

    def forget_trainer(self) -> None:
        """Drop a trainer that may have taken in a part of what failed; it is restored from the labels."""
        self._trainer = None

    def explore(self) -> tuple[Segment, Kept]:
        """EXPLORE."""
        self._results.clear()
        segment = self.exploring.explore()
        return segment, serialization.segment_event(segment, self._store, self._chronicle.config.engine.restart_every)

    def diagnose(self) -> tuple[Diagnosis, Kept]:
        """DIAGNOSE."""
        limit, progress = self._chronicle.config.otf.max_otf_iterations, self._chronicle.progress
        self._forget_but_segment()
        found = self._make_diagnosis()
        diagnosis = replace(found, known=self._known_by_now(found.structure))
        if progress.halt - progress.n_known > limit and not diagnosis.known:
            raise IterationLimitError(
                f"halt {progress.halt} is beyond max_otf_iterations={limit}; to go on: "
                f"Campaign.open({str(self._store.directory)!r}, max_otf_iterations={2 * limit})"
            )
        if not diagnosis.known:
            self._check_progress()
        return diagnosis, {"epicentre": diagnosis.epicentre.tolist(), "note": diagnosis.note}

    def generate(self) -> tuple[Candidates, Kept]:
        """GENERATE."""
        progress, config = self._chronicle.progress, self._chronicle.config
        number = progress.halt
        # derived from what names its use, the random state needs no saving to be the same after a crash
        rng = np.random.default_rng([config.seed, 1, number])
        diagnosis = self._diagnosis()
        candidates = steps.generate(
            diagnosis,
            config.otf,
            rng,
            self.trainer().grade,
            temperature=ramp_temperature(config.walker(progress.walker).engine, diagnosis.halt.step),
            calculator=lambda: self._generation(progress.generation).calculator(),
            file=self._store.candidates(number),
            max_atoms=config.oracle.max_atoms,
            embedding=config.embedding,
        )
        return candidates, {
            "n_candidates": len(candidates.structures),
            "dropped": dict(candidates.dropped),
            "embedded": candidates.embedded,
        }

    def select(self) -> tuple[Selection, Kept]:
        """SELECT."""
        progress, rule = self._chronicle.progress, self._chronicle.config.otf
        rounds = len(progress.selections)
        if rounds > rule.max_retries:
            seen = what_is_wrong(self._recent_labels(), rule)
            raise FitRejectedError(
                f"{rounds} fits in a row were rejected at halt {progress.halt}, the last because {progress.reason}; "
                + "".join(f"{wrong}; " for wrong in seen)
                + "look at the labels, or allow more rounds: "
                f"Campaign.open({str(self._store.directory)!r}, max_retries={rounds + 1})"
            )
        limit, made = rule.max_labels, len(progress.labels)
        if limit is not None and made >= limit:
            raise LabelBudgetError(
                f"the {limit} labels of the budget have been made, and halt {progress.halt} asks for more; "
                f"generation {progress.generation} is the best so far; to go on: "
                f"Campaign.open({str(self._store.directory)!r}, max_labels={limit + 10})"
            )
        labelled = {entry.candidate for entry in progress.labels if entry.halt == progress.halt}
        selection = steps.select(
            self._candidates(),
            rule.n_select,
            self.trainer().rank,
            excluded=sorted(labelled | set(progress.failures)),
            budget=None if limit is None else limit - made,
        )
        return selection, serialization.selection_event(selection)

    def choose(self, candidates: Sequence[int]) -> tuple[Selection, Kept]:
        """Put a person's choice in the place of a selection."""
        selection, progress = self._selection(), self._chronicle.progress
        chosen = steps.choose(selection, candidates)
        made = {entry.candidate for entry in progress.labels if entry.halt == progress.halt}
        if paid := sorted(made & set(selection.selected)):
            raise StateError(
                f"candidates {', '.join(map(str, paid))} have been labelled already; go on with campaign.label()"
            )
        limit = self._chronicle.config.otf.max_labels
        if limit is not None and len(progress.labels) + len(chosen.selected) > limit:
            raise LabelBudgetError(
                f"{len(chosen.selected)} labels were chosen, {limit - len(progress.labels)} of the budget of {limit} "
                f"are left; choose fewer, or reopen with Campaign.open(..., max_labels={limit + 10})"
            )
        return chosen, {"selected": list(chosen.selected), "reserve": list(chosen.reserve)}

    def label(self) -> tuple[Labels, Kept]:
        """LABEL: wait for all labels."""
        return self._labelled(self.labels.label(self._selection()))

    def submit(self) -> tuple[Submission, Kept]:
        """LABEL: hand the structures out."""
        return self.labels.submit(self._selection()), {}

    def collect(self) -> tuple[Labels | Submission, Kept]:
        """LABEL: take in what is there."""
        found = self.labels.collect(self._selection())
        return self._labelled(found) if isinstance(found, Labels) else (found, {})

    @staticmethod
    def _labelled(labels: Labels) -> tuple[Labels, Kept]:
        return labels, {"candidates": list(labels.candidates)}

    def train(self) -> tuple[Training, Kept]:
        """TRAIN."""
        progress = self._chronicle.progress
        known = self._results.get(State.LABEL)
        labels = known if isinstance(known, Labels) else serialization.read_labels(progress, self._store)
        in_use = progress.generation
        training = steps.train(
            labels,
            self.trainer(),
            self._chronicle.config.otf,
            directory=self._store.potentials,
            predecessor=self._generation(in_use) if in_use >= 0 else None,
            anchor=self._anchor() if progress.halt else None,
        )
        files = [self._store.label(labels.halt_number, candidate) for candidate in labels.candidates]
        return training, {
            "labels": [self._store.relative(file) for file in files],
            "accepted": training.accepted,
            "reason": training.reason,
            "generation": training.generation.number,
            "cv_forces": training.generation.cv_forces,
        }

    def resume(self) -> tuple[Resumption, Kept]:
        """RESUME."""
        progress = self._chronicle.progress
        resumption = steps.resume(
            self._halt(),
            self._diagnosis().structure,
            self._chronicle.config.otf,
            old=self._generation(progress.halted_generation),
            new=self._generation(progress.generation),
        )
        resumption = replace(resumption, next=progress.after_healing())
        return resumption, {
            "mode": resumption.mode,
            "step": resumption.step,
            "checkpoint": self._store.relative(resumption.checkpoint),
            "discarded_steps": resumption.discarded_steps,
        }

    def trainer(self) -> Trainer:
        """Return the trainer with all that has been trained on."""
        if self._trainer is None:
            factory = self._trainer_factory
            config, kept = self._chronicle.config, self._store.potentials
            if factory:
                trainer = factory()
            else:
                trainer = make_trainer(config.potential, config.pacemaker, self._elements, kept, self._hear)
            if config.potential.pretrain_calculator and isinstance(trainer, Pretrained):
                trainer.pretrain(pretraining_labels(self._store.pretraining, config, self.exploring.starts[0]))
            in_use = self._chronicle.progress.generation
            generation = self._generation(in_use) if in_use >= 0 else None
            trainer.restore(serialization.read_groups(self._chronicle.progress, self._store), generation)
            self._trainer = trainer
        return self._trainer

    def _generation(self, number: int) -> Generation:
        return generation_of(self._store, number, self._chronicle.config)

    def _hear(self, iteration: Iteration) -> None:
        if self.on_iteration is not None:
            self.on_iteration(iteration)

    def _halt(self) -> Halt:
        known = self._results.get(State.EXPLORE)
        number = self._chronicle.progress.halt
        if isinstance(known, Segment) and known.halt is not None and known.halt.number == number:
            return known.halt
        return serialization.read_halt(self._chronicle.progress.halts[number - 1], self._store)

    def _check_progress(self) -> None:
        """Stop before labels are paid that would teach as little as those before."""
        progress, rule = self._chronicle.progress, self._chronicle.config.otf
        window = rule.check_every * rule.smooth_steps
        halts = halts_without_progress(reversed(progress.segments), progress.walker, window)
        if len(halts) < rule.max_stalled_halts:
            return
        number = f" of walker {progress.walker}" if len(progress.walkers) > 1 else ""
        raise NoProgressError(
            f"{len(halts)} halts{number} in a row got no further: steps {', '.join(map(str, halts))}, each from the "
            f"safe state at step {progress.halts[progress.halt - 1]['safe_step']}, with {progress.n_labels} labels so "
            f"far. {self._looks_like()}. To go on all the same: "
            f"Campaign.open({str(self._store.directory)!r}, max_stalled_halts={2 * len(halts)})"
        )

    def _looks_like(self) -> str:
        errors = self._chronicle.progress.errors
        return explain_stall(self._recent_labels(), self._chronicle.config.otf, errors[-1] if errors else None)

    def _recent_labels(self) -> list[Atoms]:
        entries = self._chronicle.progress.labels[-RECENT:]
        return [read_label(contained(self._store.directory, entry.file)) for entry in entries]

    def _forget_but_segment(self) -> None:
        """Drop what the healing of another walker's halt has left in memory."""
        self._results = {state: kept for state, kept in self._results.items() if state is State.EXPLORE}

    def _make_diagnosis(self) -> Diagnosis:
        return steps.diagnose(self._halt(), self._chronicle.config.otf, self.trainer().explain)

    def _known_by_now(self, anchor: Atoms) -> bool:
        """Tell whether labels of another walker's halt, that came in between, have made an anchor known."""
        progress, limit = self._chronicle.progress, self._chronicle.config.otf.threshold_add_train
        if progress.halted_generation == progress.generation or anchor.arrays["gamma"].max() <= limit:
            return False
        return bool(self.trainer().grade([anchor]).gamma_max[0] <= limit)

    def _diagnosis(self) -> Diagnosis:
        known = self._results.get(State.DIAGNOSE)
        return known if isinstance(known, Diagnosis) else self._make_diagnosis()

    def _anchor(self) -> Atoms:
        """Return what must be known after training: the halted structure, or the cell that stands for it."""
        anchor = read_structures(self._store.candidates(self._chronicle.progress.halt))[0]
        return self._diagnosis().structure if mask_of(anchor) is None else anchor

    def _candidates(self) -> Candidates:
        known = self._results.get(State.GENERATE)
        if isinstance(known, Candidates):
            return known
        rule = self._chronicle.config.otf
        return serialization.read_candidates(self._chronicle.progress, self._store, self.trainer().grade, rule)

    def _selection(self) -> Selection:
        known = self._results.get(State.SELECT)
        if isinstance(known, Selection):
            return known
        candidates, made = self._candidates(), self._chronicle.progress.selections
        n_first = self._chronicle.progress.n_first
        return (
            serialization.read_selection(made[-1], candidates)
            if made
            else serialization.select_first(candidates, n_first)
        )
