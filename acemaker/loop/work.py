"""The work of each state: the arguments of its function in `acemaker.steps`, and the journal's fields of its result."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms

from acemaker import steps
from acemaker.engines.course import Course, temperature_of
from acemaker.engines.protocol import Engine
from acemaker.errors import (
    FitRejectedError,
    IterationLimitError,
    LabelBudgetError,
    NoProgressError,
    RunawayError,
    StateError,
)
from acemaker.formatting.record import Record
from acemaker.formatting.summary import counted, number
from acemaker.labeling.factory import GivenExecutor
from acemaker.lammps.script import ramp_temperature
from acemaker.loop import serialization
from acemaker.loop.cold_start import run_cold_start
from acemaker.loop.committee import CommitteeWork
from acemaker.loop.explore_work import ExploreWork
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.label_files import read_label
from acemaker.loop.labels import LabelWork
from acemaker.loop.pretraining import pretraining_labels
from acemaker.loop.probes import error_fields, is_above_target, is_probe, measure
from acemaker.loop.progress import LabelEntry, Progress
from acemaker.loop.stall import explain_stall, find_problems, halts_without_progress, repeated_breaks
from acemaker.loop.store import Store, contained
from acemaker.loop.trusted_code import generation_of
from acemaker.loop.uncertainty import MARGIN, largest_uncertainty, measure_of, tolerance_of
from acemaker.oracles.isolated import isolated_atoms_of, obstacle_to_isolated_atoms
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.generation import Generation
from acemaker.potentials.optimizer import Iteration
from acemaker.potentials.trainer import LeavesOut, Pretrained, ReconsidersBasis, Trainer, UsesIsolatedAtoms
from acemaker.potentials.trainers import make_trainer
from acemaker.results import Candidates, Diagnosis, Halt, Labels, Resumption, Segment, Selection, Submission, Training
from acemaker.states import State
from acemaker.structures.files import read_structures
from acemaker.structures.isolated import neighbor_counts
from acemaker.structures.mask import mask_of

logger = logging.getLogger("acemaker")

Fields = dict[str, Any]
"""Fields of the event ``step`` in the journal."""

RECENT = 60
"""Number of labels that are checked if a campaign makes no progress."""

MOST_BREAKS = 3
"""Number of consecutive breaks after one safe state from which a run that is far too hot is a runaway."""

LEARNING = 4
"""Factor of ``max_stalled_halts`` while the environments of an element do not span its functions."""


class Work:
    """Does the work of each state.

    Every method returns the result of the step and its fields in the journal. Results of earlier steps are in memory,
    or are read from the campaign's files after it was opened again; both are equal.

    Parameters
    ----------
    journaled
        The journal and its state.
    store
        Names of the campaign's files.
    engine, oracle, trainer_factory, executor
        The user's objects; None for those of the configuration, which are created when they are needed.
    """

    def __init__(
        self,
        journaled: JournaledState,
        store: Store,
        engine: Engine | None = None,
        oracle: Oracle | None = None,
        trainer_factory: Callable[[], Trainer] | None = None,
        executor: GivenExecutor | None = None,
    ) -> None:
        self._journaled = journaled
        self._store = store
        self.committee = CommitteeWork(journaled, store)
        self.exploring = ExploreWork(journaled, store, engine, self.committee)
        self._elements = tuple(sorted(set(self.exploring.starts[0].get_chemical_symbols())))
        self.labels = LabelWork(journaled, store, self._elements, oracle, executor, own_engine=engine is not None)
        self._trainer_factory = trainer_factory
        self._own_engine = engine is not None
        self._trainer: Trainer | None = None
        self._results: dict[State, Record] = {}
        self.on_iteration: Callable[[Iteration], None] | None = None

    @property
    def results(self) -> tuple[Record, ...]:
        """Results in memory, of the last EXPLORE and the states after it."""
        return tuple(self._results.values())

    def add_result(self, state: State, result: Record) -> None:
        """Store the result of a completed state in memory."""
        self._results[state] = result

    def reset_trainer(self) -> None:
        """Remove a trainer that may have been changed by a state that failed; it is created again from the labels."""
        self._trainer = None

    def explore(self) -> tuple[Segment, Fields]:
        """EXPLORE."""
        self._results.clear()
        segment = self.exploring.explore()
        return segment, serialization.segment_event(segment, self._store, self._journaled.config.engine.restart_every)

    def diagnose(self) -> tuple[Diagnosis, Fields]:
        """DIAGNOSE."""
        limit, progress = self._journaled.config.otf.max_otf_iterations, self._journaled.progress
        self._clear_results_after_explore()
        diagnosis = self._compute_diagnosis()
        diagnosis = replace(diagnosis, known=self._is_known_now(diagnosis.structure))
        assert progress.halt is not None
        if progress.is_probe:
            return diagnosis, {"epicenter": diagnosis.epicenter.tolist(), "note": diagnosis.note}
        n_probes = sum(is_probe(halt) for halt in progress.halts[: progress.halt])
        if progress.halt - progress.n_known - n_probes > limit and not diagnosis.known:
            raise IterationLimitError(
                f"halt {progress.halt} exceeds max_otf_iterations={limit}; to continue: "
                f"Campaign.open({str(self._store.directory)!r}, max_otf_iterations={2 * limit})"
            )
        if not diagnosis.known:
            self._check_isolated(diagnosis.structure)
            self._check_stall()
        return diagnosis, {"epicenter": diagnosis.epicenter.tolist(), "note": diagnosis.note}

    def generate(self) -> tuple[Candidates, Fields]:
        """GENERATE."""
        progress, config = self._journaled.progress, self._journaled.config
        number = progress.halt
        assert number is not None
        # seeded by the number of the halt, so that the candidates are the same after a crash
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

    def select(self) -> tuple[Selection, Fields]:
        """SELECT."""
        progress, rule = self._journaled.progress, self._journaled.config.otf
        rounds = len(progress.selections)
        if rounds > rule.max_retries:
            problems = find_problems(self._recent_labels(), rule)
            raise FitRejectedError(
                f"{rounds} consecutive fits were rejected at halt {progress.halt}, the last because {progress.reason}; "
                + "".join(f"{problem}; " for problem in problems)
                + "check the labels, or allow more rounds: "
                f"Campaign.open({str(self._store.directory)!r}, max_retries={rounds + 1})"
            )
        limit, n_labels = rule.max_labels, progress.n_charged
        if limit is not None and n_labels >= limit:
            raise LabelBudgetError(
                f"the campaign has {n_labels} labels, max_labels={limit}, and halt {progress.halt} needs more; "
                f"generation {progress.generation} is the best one so far; to continue: "
                f"Campaign.open({str(self._store.directory)!r}, max_labels={limit + 10})"
            )
        labeled = {entry.candidate for entry in progress.all_labels if entry.halt == progress.halt}
        selection = steps.select(
            self._candidates(),
            1 if progress.is_probe else rule.n_select,
            self.trainer().rank,
            excluded=sorted(labeled | set(progress.failures)),
            budget=None if limit is None else limit - n_labels,
        )
        if progress.is_probe:
            selection = replace(selection, reserve=())  # a candidate is no frame of the run
        return selection, serialization.selection_event(selection)

    def choose(self, candidates: Sequence[int]) -> tuple[Selection, Fields]:
        """Replace the selection by the user's choice."""
        selection, progress = self._selection(), self._journaled.progress
        chosen = steps.choose(selection, candidates)
        labeled = {entry.candidate for entry in progress.all_labels if entry.halt == progress.halt}
        if fixed := sorted(labeled & set(selection.selected)):
            raise StateError(
                f"the choice cannot be changed, since candidates {', '.join(map(str, fixed))} are already labeled; "
                "continue with campaign.label()"
            )
        limit = self._journaled.config.otf.max_labels
        if limit is not None and progress.n_charged + len(chosen.selected) > limit:
            raise LabelBudgetError(
                f"expected at most {limit - progress.n_charged} candidates, which is what is left of "
                f"max_labels={limit}, got {len(chosen.selected)}; choose fewer, or open the campaign again with "
                f"Campaign.open(..., max_labels={limit + 10})"
            )
        return chosen, {"selected": list(chosen.selected), "reserve": list(chosen.reserve)}

    def label(self) -> tuple[Labels, Fields]:
        """LABEL: wait for all labels."""
        return self._labeled(self.labels.label(self._selection(), self._isolated_atoms(), is_probe=self._is_probe))

    def submit(self) -> tuple[Submission, Fields]:
        """LABEL: hand out the structures."""
        return self.labels.submit(self._selection(), self._isolated_atoms(), is_probe=self._is_probe), {}

    def collect(self) -> tuple[Labels | Submission, Fields]:
        """LABEL: collect the finished labels."""
        result = self.labels.collect(self._selection(), self._isolated_atoms(), is_probe=self._is_probe)
        return self._labeled(result) if isinstance(result, Labels) else (result, {})

    def _labeled(self, labels: Labels) -> tuple[Labels, Fields]:
        progress, config = self._journaled.progress, self._journaled.config
        walkers = range(1, len(progress.walkers) + 1) if progress.generation is None and not self._own_engine else ()
        has_barostat = any(config.walker(number).engine.has_barostat for number in walkers)
        if has_barostat and not any("stress" in atoms.calc.results for atoms in labels.structures):
            logger.warning(
                "the labels contain no stress, although the ensemble has a barostat: the pressure of the potential is "
                "learned from energies and forces alone; if that is not intended, create a campaign with ensemble='nvt'"
            )
        return labels, {"candidates": list(labels.candidates)}

    def train(self) -> tuple[Training, Fields]:
        """TRAIN."""
        progress = self._journaled.progress
        result = self._results.get(State.LABEL)
        labels = result if isinstance(result, Labels) else serialization.read_labels(progress, self._store)
        in_use = progress.generation
        trainer = self.trainer()
        if in_use is None:
            self._use_isolated_atoms(trainer, progress)  # it was created before these were labeled
            self._report_isolated_failures()
        every, sizes = labels, [len(labels.candidates)]
        if in_use is None:
            labels, sizes = self._train_as_before(trainer, labels)
        measured = self._measure_probe(labels)
        poor = measured is not None and is_above_target(self._journaled.config, measured)
        poor = poor or self._is_limited_by_basis()
        if poor and isinstance(trainer, ReconsidersBasis):
            trainer.reconsider_basis(serialization.read_groups(progress, self._store))
        training = steps.train(
            labels,
            trainer,
            self._journaled.config.otf,
            directory=self._store.potentials,
            predecessor=None if in_use is None else self._generation(in_use),
            halted=self._halted() if progress.halt else None,
        )
        training = replace(training, is_probe=progress.is_probe)
        if poor and not training.accepted:
            self.reset_trainer()  # the potential in use may have another basis
        if training.accepted:
            self.committee.update()
        files = [self._store.label(every.halt_number, candidate) for candidate in every.candidates]
        return training, {
            **({"groups": sizes} if len(sizes) > 1 else {}),
            "labels": [self._store.relative(file) for file in files],
            "accepted": training.accepted,
            "reason": training.reason,
            "generation": training.generation.number,
            "cv_forces": training.generation.cv_forces,
            "train_forces": training.train_errors.forces,
            "compared_bases": training.generation.basis_choice is not None,
            "is_new_basis": in_use is not None and not self._has_basis_of(training.generation, in_use),
            **({} if measured is None else {"probe": measured}),
            **(self._uncertainty(training) if training.accepted else {}),
            **(self._left_out(trainer, labels, measured) if training.accepted else {}),
        }

    def _train_as_before(self, trainer: Trainer, labels: Labels) -> tuple[Labels, list[int]]:
        """Add labels of another campaign as its potential was trained on them; return the last group, and all sizes."""
        sizes = list(self._journaled.progress.first_labels.get("groups", ()))
        if sizes and (more := len(labels.candidates) - sum(sizes)):
            sizes.append(more)
        if len(sizes) < 2:
            return labels, [len(labels.candidates)]
        ends = np.cumsum(sizes).tolist()
        groups = [labels.structures[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        trainer.restore(groups[:-1])
        first = ends[-2]
        return replace(labels, candidates=labels.candidates[first:], structures=groups[-1]), sizes

    def _uncertainty(self, training: Training) -> Fields:
        """Return the largest uncertainty of the structure just labeled, which more labels of it would not lower."""
        progress, config, generation = self._journaled.progress, self._journaled.config, training.generation
        if not progress.halt:
            return {}
        uncertainty = largest_uncertainty(measure_of(config, generation, self.committee), self._halted())
        tolerance = tolerance_of(config, generation, training.train_errors.forces)
        if uncertainty is not None and (learned := MARGIN * uncertainty) > tolerance:
            logger.info(
                f"The label lowers the uncertainty to {number(uncertainty)} meV/Å only, which is above the tolerance "
                f"of {number(tolerance)} meV/Å or close to it: the next segment halts above {number(learned)} meV/Å"
            )
        return {"uncertainty": uncertainty}

    def _has_basis_of(self, generation: Generation, earlier: int) -> bool:
        """Return whether a generation has the basis of an earlier one."""
        before, after = self._generation(earlier).basis_choice, generation.basis_choice
        return after is None or after.best.is_same(after.configured if before is None else before.best)

    def _is_limited_by_basis(self) -> bool:
        """Return whether the run has halted for an uncertainty that labels did not lower to the tolerance before."""
        progress, halt = self._journaled.progress, self._halt() if self._journaled.progress.halt else None
        if halt is None or halt.tier != "uncertainty" or halt.tolerance is None:
            return False
        generation = self._generation(progress.halted_generation)
        return halt.tolerance > tolerance_of(self._journaled.config, generation, progress.training_error)

    def _left_out(self, trainer: Trainer, labels: Labels, measured: Fields | None) -> Fields:
        """Return the errors on all probes by the new fit without each of them, if the trainer can tell them."""
        progress = self._journaled.progress
        probes = self._probes(progress)
        if measured is not None:
            probes[measured["halt"]] = labels.structures[labels.candidates.index(0)]
        return self._left_out_of(trainer, probes)

    def _probes(self, progress: Progress) -> dict[int, Atoms]:
        """Read the labels of the probes in force by the number of their halt."""
        halts = {event["halt"] for event in progress.probes}
        entries = {entry.halt: entry for entry in progress.labels if entry.halt in halts and entry.candidate == 0}
        return {number: self._read(entries[number]) for number in entries if number is not None}

    @staticmethod
    def _left_out_of(trainer: Trainer, probes: dict[int, Atoms]) -> Fields:
        if not probes or not isinstance(trainer, LeavesOut):
            return {}
        errors = trainer.left_out_forces(list(probes.values()))
        fields = {
            str(number): error_fields(label, error)
            for (number, label), error in zip(probes.items(), errors, strict=True)
            if np.isfinite(error).all()
        }
        return {"left_out": fields}

    def _measure_probe(self, labels: Labels) -> Fields | None:
        """Compare the potential in use with the label of a probe; None if the probe itself has no new label."""
        progress = self._journaled.progress
        if not progress.is_probe or 0 not in labels.candidates:
            return None
        assert progress.halt is not None
        if any(entry.key == progress.labels[-1].key for entry in progress.labels[:-1]):
            return None  # the potential was trained on an equal structure
        label, step = labels.structures[labels.candidates.index(0)], progress.halts[progress.halt - 1]["step"]
        measured = {"halt": progress.halt, "step": step, "walker": progress.walker}
        measured |= measure(label, self._generation(progress.generation))
        if (physical := self._diagnosis().structure.info.get("step", step)) != step:
            measured["physical_until"] = int(physical)
        error, share = measured["force_error"], measured["force_error"] / (measured["force"] or np.inf)
        above = ", above the target" if is_above_target(self._journaled.config, measured) else ""
        logger.info(
            f"Probe at step {step}: force error {number(error)} meV/Å, {share:.1%} of the forces{above}; the "
            f"potential, generation {progress.generation}, was not trained on it"
        )
        return measured

    def resume(self) -> tuple[Resumption, Fields]:
        """RESUME."""
        progress = self._journaled.progress
        resumption = steps.resume(
            self._halt(),
            self._diagnosis().structure,
            self._journaled.config.otf,
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
        """Return the trainer, trained on all labels so far."""
        if self._trainer is None:
            trainer = self._new_trainer(self._journaled.progress)
            in_use = self._journaled.progress.generation
            generation = None if in_use is None else self._generation(in_use)
            trainer.restore(serialization.read_groups(self._journaled.progress, self._store), generation)
            self._trainer = trainer
        return self._trainer

    def _new_trainer(self, progress: Progress) -> Trainer:
        """Create a trainer without labels, except for those of isolated atoms."""
        config, folder = self._journaled.config, self._store.potentials
        if self._trainer_factory:
            trainer = self._trainer_factory()
        else:
            trainer = make_trainer(config.potential, config.pacemaker, self._elements, folder, self._report)
        if config.potential.pretrain_calculator and isinstance(trainer, Pretrained):
            trainer.pretrain(pretraining_labels(self._store.pretraining, config, self.exploring.starts[0]))
        self._use_isolated_atoms(trainer, progress)
        return trainer

    def refit(self, progress: Progress, added: Sequence[LabelEntry] = ()) -> tuple[Training, Fields, Trainer]:
        """Train on the labels in force from the beginning, as a campaign that never had others.

        Neither the guard's comparison with the potential in use, which had other labels, nor a halted structure
        decides about the result.

        Parameters
        ----------
        progress
            State of the campaign after labels were changed.
        added
            Labels that were added, which no potential was trained on yet.

        Returns
        -------
        Training
            The next generation, which is not in use yet.
        dict
            Fields of the event ``refit`` in the journal.
        Trainer
            The trainer, for `adopt` once the event is in the journal.

        Raises
        ------
        FitRejectedError
            If the fit is not finite.
        """
        in_use, config = self._generation(progress.generation), self._journaled.config
        groups = (*progress.groups, *([tuple(added)] if added else []))
        earlier = serialization.read_groups(progress.with_changes(groups=groups[:-1]), self._store)
        (latest,) = serialization.read_groups(progress.with_changes(groups=groups[-1:]), self._store)
        trainer = self._new_trainer(progress)
        # a basis that was chosen from labels stays; nothing else of the potential in use is needed
        predecessor = None if in_use.basis_choice is None else replace(in_use, cv_folds=())
        trainer.restore(earlier, predecessor)
        training = trainer.train(
            latest,
            number=in_use.number + 1,
            directory=self._store.potentials,
            predecessor=predecessor,
            halted=None,
            gamma_limit=config.otf.threshold_add_train,
        )
        if not training.accepted:
            raise FitRejectedError(
                f"the fit to the {training.n_structures} labels in force was rejected: {training.reason}; the "
                "potential in use stays"
            )
        fields = {
            "labels": [entry.file for entry in added],
            "generation": training.generation.number,
            "cv_forces": training.generation.cv_forces,
            "train_forces": training.train_errors.forces,
            **self._left_out_of(trainer, self._probes(progress)),
        }
        return training, fields, trainer

    def adopt(self, trainer: Trainer | None) -> None:
        """Use a trainer from `refit`, whose labels are in the journal, and forget results with other labels."""
        self._trainer = trainer
        self._results.clear()
        self.labels.forget()

    def measure_again(self, file: str, labeled: Atoms) -> Fields | None:
        """Compare the potential that a probe tested with a new label of the probe; None if it is no probe.

        Parameters
        ----------
        file
            File of the earlier label.
        labeled
            The new label.
        """
        progress = self._journaled.progress
        entry = progress.revisions.entry(file)
        if entry is None or entry.halt is None or entry.candidate != 0:
            return None
        event = next((event for event in progress.probes if event["halt"] == entry.halt), None)
        return None if event is None else {**event, **measure(labeled, self._generation(event["generation"]))}

    @property
    def _is_probe(self) -> bool:
        return self._journaled.progress.is_probe

    def _isolated_atoms(self) -> tuple[Atoms, ...]:
        """Return the isolated atoms that are labeled with the initial structures, if the trainer uses them."""
        config, progress, start = self._journaled.config, self._journaled.progress, self.exploring.starts[0]
        if progress.halt is not None or not config.potential.isolated_atoms or config.potential.reference_energies:
            return ()
        if not isinstance(self.trainer(), UsesIsolatedAtoms):
            return ()
        own = self.labels.own_oracle is not None
        existing = self._existing_isolated_atoms()
        if set(existing) >= set(self._elements):
            return tuple(existing[element] for element in self._elements)
        if not own and (obstacle := obstacle_to_isolated_atoms(config.oracle)):
            for element in sorted(set(self._elements) - set(progress.isolated_failures)):
                self._journaled.append("isolated_atom_failed", element=element, cause=obstacle)
            return ()
        atoms = isolated_atoms_of(config, start, own_oracle=own)
        return tuple(existing.get(str(atom.symbols[0]), atom) for atom in atoms)

    def _existing_isolated_atoms(self) -> dict[str, Atoms]:
        """Return the isolated atoms that were labeled before the campaign, by element."""
        first = self._journaled.progress.first_labels
        if not first or not first["isolated"]:
            return {}
        structures = read_structures(self._store.first_labels)[len(first["labels"]) :]
        return dict(zip(sorted(first["isolated"]), structures, strict=True))

    def _use_isolated_atoms(self, trainer: Trainer, progress: Progress) -> None:
        """Pass the labels of isolated atoms to the trainer if those of all elements exist, and none otherwise."""
        isolated = progress.isolated
        if isinstance(trainer, UsesIsolatedAtoms):
            complete = set(isolated) >= set(self._elements)
            events = [isolated[element] for element in self._elements] if complete else []
            files = [(contained(self._store.directory, event["file"]), event.get("sum", "")) for event in events]
            trainer.use_isolated_atoms([read_label(*file) for file in files])

    def _report_isolated_failures(self) -> None:
        failures = self._journaled.progress.isolated_failures
        if failures:
            causes = "; ".join(f"{element}: {cause}" for element, cause in sorted(failures.items()))
            logger.warning(
                f"isolated atoms were not labeled ({causes}): the reference energies are fitted to the first labels, "
                "and an atom with fewer neighbors than any labeled one has an infinite gamma. The energies of isolated "
                "atoms can be set instead: reference_energies={element: energy in eV}"
            )

    def _generation(self, number: int | None) -> Generation:
        assert number is not None, "every state but the first LABEL and TRAIN has a generation"
        return generation_of(self._store, number, self._journaled.config)

    def _report(self, iteration: Iteration) -> None:
        if self.on_iteration is not None:
            self.on_iteration(iteration)

    def _halt(self) -> Halt:
        segment = self._results.get(State.EXPLORE)
        number = self._journaled.progress.halt
        if isinstance(segment, Segment) and segment.halt is not None and segment.halt.number == number:
            return segment.halt
        assert number is not None
        return serialization.read_halt(self._journaled.progress.halts[number - 1], self._store)

    def _check_isolated(self, halted: Atoms) -> None:
        """Raise an error if no label can help: the energy of an atom without neighbors is the reference energy."""
        generation = self._generation(self._journaled.progress.generation)
        if generation.few_neighbors.alone_is_known or not generation.few_neighbors.limits:
            return
        alone = np.flatnonzero(neighbor_counts(halted, generation.cutoff) == 0)
        if len(alone):
            raise NoProgressError(
                f"at halt {self._journaled.progress.halt}, {counted(len(alone), 'atom')} (the first is "
                f"{halted.symbols[int(alone[0])]}, number {alone[0]}) left all others, without a neighbor within "
                f"{generation.cutoff:g} Å. It has no energy of isolated atoms, since the reference energies "
                "were fitted to the first labels, and no label can change that. If atoms may leave, create another "
                "campaign with isolated_atoms=True (if the oracle can label an isolated atom), or with their energies, "
                "reference_energies={element: energy in eV}; otherwise check the start and the temperature"
            )

    def _check_stall(self) -> None:
        """Raise an error if the last halts made no progress, before more labels are computed."""
        progress, rule = self._journaled.progress, self._journaled.config.otf
        self._check_runaway()
        window = rule.check_every * rule.smooth_steps
        halts = halts_without_progress(reversed(progress.segments), progress.walker, window)
        # environments that do not span the functions of their element are learned in many halts at nearly one place
        learning = getattr(self.trainer(), "lacks_environments", False)
        if len(halts) < rule.max_stalled_halts * (LEARNING if learning else 1):
            return
        of_walker = f" of walker {progress.walker}" if len(progress.walkers) > 1 else ""
        assert progress.halt is not None
        raise NoProgressError(
            f"{len(halts)} consecutive halts{of_walker} made no progress: steps {', '.join(map(str, halts))}, each "
            f"from the safe state at step {progress.halts[progress.halt - 1]['safe_step']}, with {progress.n_labels} "
            f"labels so far. {self._explain_stall()}. To continue anyway: "
            f"Campaign.open({str(self._store.directory)!r}, max_stalled_halts={2 * len(halts)})"
        )

    def _check_runaway(self) -> None:
        """Raise an error if the run has broken several times after one safe state, each time far too hot."""
        progress = self._journaled.progress
        config, halt = self._journaled.config.walker(progress.walker), self._halt()
        steps = repeated_breaks(reversed(progress.segments), progress.walker)
        temperature = temperature_of(halt.frames[-1])
        is_hot = Course(config.engine, self.exploring.starts[progress.walker - 1]).is_hot(halt.step, temperature)
        if len(steps) < MOST_BREAKS or not is_hot or not config.engine.check_course or self._own_engine:
            return
        of_walker = f" of walker {progress.walker}" if len(progress.walkers) > 1 else ""
        target = ramp_temperature(config.engine, halt.step)
        raise RunawayError(
            f"the run{of_walker} has broken {len(steps)} times after the safe state at step {halt.safe_step}, at steps "
            f"{', '.join(map(str, steps))}, the last time at {temperature:.4g} K, where the target is {target:.4g} K: "
            f"labels of such structures do not cure it. {self._explain_stall()}. Create another campaign with a "
            "shorter timestep, smaller thresholds, more first structures (n_first), a larger basis (n_functions, "
            f"cutoff) or repulsion at short range; a label_store keeps the {progress.n_labels} paid labels. To "
            f"continue anyway: Campaign.open({str(self._store.directory)!r}, check_course=False)",
            quantity="temperature",
            value=temperature,
            target=target,
            step=halt.step,
            safe_step=halt.safe_step,
            safe_checkpoint=halt.safe_checkpoint,
        )

    def _explain_stall(self) -> str:
        errors = self._journaled.progress.errors
        return explain_stall(self._recent_labels(), self._journaled.config.otf, errors[-1] if errors else None)

    def _recent_labels(self) -> list[Atoms]:
        entries = self._journaled.progress.labels[-RECENT:]
        return [self._read(entry) for entry in entries]

    def _read(self, entry: LabelEntry) -> Atoms:
        return read_label(contained(self._store.directory, entry.file), entry.sum)

    def _clear_results_after_explore(self) -> None:
        """Remove the results of healing another walker's halt from memory."""
        self._results = {state: result for state, result in self._results.items() if state is State.EXPLORE}

    def _compute_diagnosis(self) -> Diagnosis:
        return steps.diagnose(self._halt(), self._journaled.config.otf, self.trainer().explain)

    def _is_known_now(self, halted: Atoms) -> bool:
        """Return whether the cause of a halt is gone by now, due to the labels of another walker's halt."""
        progress, limit = self._journaled.progress, self._journaled.config.otf.threshold_add_train
        if progress.is_probe:  # all are measured as long as there are labels
            most = self._journaled.config.otf.max_labels
            return most is not None and progress.n_charged >= most
        if progress.halted_generation == progress.generation:
            return False
        if (tolerance := self._halt().tolerance) is not None and self._halt().tier == "uncertainty":
            generation = self._generation(progress.generation)
            measure = measure_of(self._journaled.config, generation, self.committee)
            uncertainty = largest_uncertainty(measure, halted)
            return uncertainty is not None and uncertainty <= tolerance
        if halted.arrays["gamma"].max() <= limit:
            return False
        return bool(self.trainer().grade([halted]).gamma_max[0] <= limit)

    def _diagnosis(self) -> Diagnosis:
        result = self._results.get(State.DIAGNOSE)
        return result if isinstance(result, Diagnosis) else self._compute_diagnosis()

    def _halted(self) -> Atoms:
        """Return the structure whose gamma training must reduce: the halted one, or the cell that represents it."""
        halted = read_structures(self._store.candidates(self._journaled.progress.halt))[0]
        return self._diagnosis().structure if mask_of(halted) is None else halted

    def _candidates(self) -> Candidates:
        result = self._results.get(State.GENERATE)
        if isinstance(result, Candidates):
            return result
        if self._journaled.progress.halt is None and self._journaled.config.system.cold_start:
            run_cold_start(self._journaled, self._store, self.exploring.starts, self.labels.on_wait)
        rule = self._journaled.config.otf
        return serialization.read_candidates(self._journaled.progress, self._store, self.trainer().grade, rule)

    def _selection(self) -> Selection:
        result = self._results.get(State.SELECT)
        if isinstance(result, Selection):
            return result
        candidates, progress = self._candidates(), self._journaled.progress
        if progress.selections:
            return serialization.read_selection(progress.selections[-1], candidates)
        return serialization.select_first(candidates, progress.n_first)
