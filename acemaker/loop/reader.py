"""Everything about a campaign that is read from its directory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.config.potential import TRAINERS
from acemaker.engines.segment_log import SegmentLog
from acemaker.errors import ConfigError, DamagedFileError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, counted
from acemaker.loop import serialization
from acemaker.loop.journal import read_events
from acemaker.loop.journaled_state import History
from acemaker.loop.label_files import read_label
from acemaker.loop.probes import is_probe
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store, contained
from acemaker.loop.tables import table_of
from acemaker.loop.trusted_code import generation_of
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.basis import fewer_functions
from acemaker.potentials.generation import SOURCES, Generation
from acemaker.results import Changes, FirstLabels, Halt, Segment, Timeline
from acemaker.results.changes import read_changes
from acemaker.states import CYCLE, State
from acemaker.structures.computed import forces_of
from acemaker.structures.files import read_structures
from acemaker.structures.mask import mask_of
from acemaker.structures.per_atom import MASSES, frozen_atoms

if TYPE_CHECKING:
    import pandas as pd

LATEST = 20
"""Number of labels whose forces the held-out error is compared with."""

MAX_LISTED = 6
"""Maximum number of walkers whose steps are listed."""


class CampaignReader(Record):
    """The configuration, state, segments, labels and generations of a campaign.

    The functions of `acemaker.analysis` take a reader; `Campaign` and `AttachedCampaign` are readers, too.

    Parameters
    ----------
    store
        The campaign's files.
    history
        State and configuration after the events of its journal.
    """

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history
        self._initial: Atoms | None = None
        self._generation: Generation | None = None
        self._segments: list[Segment] = []
        self._timelines: list[Timeline] = []
        self._typical_force: tuple[int, float] | None = None  # and for which labels
        self._reading = threading.Lock()  # the thread of a live view and a cell may read at the same time

    @property
    def config(self) -> CampaignConfig:
        """The configuration in force."""
        return self._history.config

    @property
    def progress(self) -> Progress:
        """The state of the campaign, computed from its journal."""
        return self._history.progress

    @property
    def n_walkers(self) -> int:
        """Number of trajectories."""
        return len(self.progress.walkers)

    def initial_structure(self) -> Atoms:
        """Read the structure with which the trajectory starts; with several walkers, that of the first one."""
        if self._initial is None:
            self._initial = read_structures(self._store.initial)[0]
        return self._initial

    def initial_structures(self) -> tuple[Atoms, ...]:
        """Read the structure with which each walker starts."""
        return read_structures(self._store.initial)

    @property
    def directory(self) -> Path:
        """The campaign's directory."""
        return self._store.directory

    @property
    def state(self) -> State:
        """The work that comes next, ``DONE`` or ``FAILED``."""
        return self.progress.state

    @property
    def generation(self) -> Generation | None:
        """The potential in use; None before the first generation."""
        number = self.progress.generation
        if number is None:
            return None
        if self._generation is None or self._generation.number != number:
            self._generation = generation_of(self._store, number, self.config)
        return self._generation

    def known_generation(self, number: int) -> Generation:
        """Return an accepted generation by its number."""
        return generation_of(self._store, number, self.config)

    def segments(self) -> list[Segment]:
        """Read all explored segments; each file is read only once."""
        progress = self.progress
        with self._reading:
            self._segments += serialization.read_segments(progress, self._store, first=len(self._segments) + 1)
            return self._segments[: len(progress.segments)]

    def last_halt(self) -> Halt | None:
        """Read the halt that is being healed, else the last one; None before the first."""
        number = self.progress.shown_halt
        return serialization.read_halt(self.progress.halts[number - 1], self._store) if number else None

    def timeline(self, walker: int = 1) -> Timeline:
        """Read the checks of a walker's trajectory, without the parts that were run again.

        Parameters
        ----------
        walker
            Number of the walker, from 1.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return serialization.current_timeline(*self._checks(self._validated(walker)))

    def trajectory(self, walker: int = 1) -> list[Atoms]:
        """Read the frames of a walker's trajectory, unwrapped, with gamma, without the parts that were run again.

        The steps of soft starts (``soft_start_steps`` after each halt, 200 fs by default) are not counted and have no
        frames, although the atoms move during them.

        Parameters
        ----------
        walker
            Number of the walker, from 1.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return serialization.current_trajectory(self.progress, self._store, self._validated(walker))

    def typical_force(self) -> float | None:
        """Return the root mean square of the force components of the latest labels, meV/Å, or None."""
        entries = self.progress.labels
        if len(entries) == 0:
            return None
        state = len(entries) + 10**9 * len(self.progress.revisions.changes)
        if self._typical_force is None or self._typical_force[0] != state:
            try:
                labels = [read_label(contained(self.directory, entry.file), entry.sum) for entry in entries[-LATEST:]]
            except DamagedFileError:  # what needs the labels raises it
                return None
            forces = np.concatenate([_counted_forces(atoms).ravel() for atoms in labels])
            self._typical_force = state, 1e3 * float(np.sqrt(np.mean(forces**2)))
        return self._typical_force[1]

    def labeled_structures(self) -> list[Atoms]:
        """Read all labeled structures, oldest first."""
        return [read_label(contained(self.directory, entry.file), entry.sum) for entry in self.progress.labels]

    def summary(self) -> Summary:
        """Return the summary."""
        progress, engine = self.progress, self.config.engine
        items = [
            ("directory", self.directory.name),
            ("system", ", ".join([_describe_atoms(self.initial_structure()), *self._ensembles()])),
            ("steps", steps_reached(self.reached_steps, engine.steps)),
            ("generation", self._potential()),
            *self._functions(),
            ("halts, labels", f"{progress.n_halts}, {progress.n_labels}{self._existing()}"),
        ]
        if not progress.n_labels:
            items.append(("first labels", self._first_labels()))
        if reference := self.reference_energies_from():
            items.append(("energies from", reference))  # as short as the other names, which set the width
        if changes := self.changes().changes:
            items.append(("by hand", f"{counted(len(changes), 'change')}, campaign.changes()"))
        if outdated := self.outdated_labels():
            n_outdated = counted(len(outdated), "label")
            items.append(("outdated", f"{n_outdated} of other settings of the oracle; campaign.relabel()"))
        if progress.error:
            items.append(("failed", progress.error))
        if self.n_walkers > 1:
            ended = sum(walker.ended for walker in progress.walkers)
            items.insert(2, ("walkers", f"{self.n_walkers}, of which {ended} at the last step"))
        return Summary(f"Campaign: {self.state}", tuple(items), strip=state_strip(progress))

    def first_labels(self) -> FirstLabels:
        """Return the labels that existed before the campaign, where they are from, and which ones were left out."""
        return FirstLabels.from_event(self.progress.first_labels)

    def _existing(self) -> str:
        """Return how many of the labels existed before the campaign, for the summary."""
        n_existing = sum(entry.halt is None and entry.own for entry in self.progress.labels)
        return f", {n_existing} of them existed before" if n_existing and self.progress.first_labels else ""

    def _first_labels(self) -> str:
        """Describe what the first labels will cost: their number, their size, and roughly the time of a trial."""
        if self.progress.first_labels:
            first = self.first_labels()
            return f"{first.n_labels} exist, {first.n_more} more are labeled"
        seconds = self.progress.trial_seconds
        try:
            n_atoms = len(read_structures(self._store.candidates(None))[0])
        except DamagedFileError:  # also while another process replaces the campaign
            return str(self.progress.n_first)
        if seconds is None:
            time = "'acemaker check-oracle' measures the time of one"
        else:
            time = "less than 1 s each" if seconds < 1 else f"about {seconds:.2g} s each"
        cold_start = self.config.system.cold_start
        origin = f", from a cold start with {cold_start}" if cold_start else ""
        return f"{self.progress.n_first} of {n_atoms} atoms{origin}; {time}"

    def figure(self, walker: int | None = None) -> Picture:
        """Draw gamma and temperature of a walker's segments, with thresholds, halts and generations.

        Parameters
        ----------
        walker
            Number of the walker, from 1; None for all of them, one below the other, without temperatures if there are
            several.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return draw(self, None if walker is None else self._validated(walker))

    @property
    def own_oracle(self) -> Oracle | None:
        """The user's oracle object; None if the configuration names the oracle."""
        return None

    def to_dataframe(self, table: str = "checks") -> pd.DataFrame:
        """Return the segments, checks, labels or generations as a pandas data frame.

        Parameters
        ----------
        table
            ``"segments"``, ``"checks"``, ``"labels"`` or ``"generations"``.

        Returns
        -------
        pandas.DataFrame
            The unit of a column is at the end of its name.

        Raises
        ------
        ConfigError
            If there is no such table.
        """
        return table_of(self, table)

    def changes(self) -> Changes:
        """Return what was changed by hand: labels that were added, removed or computed again, and settings.

        Examples
        --------
        >>> from acemaker.testing import toy_campaign
        >>> campaign = toy_campaign()
        >>> campaign.changes().changes
        ()
        """
        return read_changes(self.progress.revisions.changes)

    def outdated_labels(self) -> tuple[str, ...]:
        """Return the files of labels that were computed with other settings of the oracle than the present ones."""
        progress = self.progress
        outdated = [entry.file for entry in progress.labels if entry.settings != progress.settings and not entry.own]
        atoms = sorted(progress.isolated.items())
        return (*outdated, *(event["file"] for _, event in atoms if _is_outdated(event, progress)))

    def events(self) -> list[dict[str, Any]]:
        """Read the journal's events, oldest first."""
        return read_events(self._store.journal)[0]

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Return the packages with which the campaign was created, and their versions."""
        return tuple(self.events()[0]["versions"].items())

    def _checks(self, walker: int) -> tuple[list[Timeline], list[int]]:
        """Return the checks of a walker's segments and their start steps; each file is read only once."""
        progress = self.progress
        with self._reading:
            self._timelines += serialization.read_timelines(progress, self._store, first=len(self._timelines) + 1)
            numbers = serialization.segments_of(progress, walker)
            timelines = [self._timelines[number - 1] for number in numbers]
        return timelines, [int(progress.segments[number - 1]["start_step"]) for number in numbers]

    def halt_points(self, walker: int = 1) -> list[tuple[int, float]]:
        """Return step and largest gamma of each halt of a walker that is not for a probe."""
        events = [self.progress.segments[number - 1] for number in serialization.segments_of(self.progress, walker)]
        pairs = zip(self._checks(walker)[0], events, strict=False)
        return [
            (int(event["halt"]["step"]), float(timeline.gamma_max[-1]))
            for timeline, event in pairs
            if event["halt"] and not is_probe(event["halt"])
        ]

    def running_checks(self) -> Timeline:
        """Read the checks of the segment that is being explored, or was interrupted; empty if there is none."""
        folder = self._store.segment(len(self.progress.segments) + 1)
        if self.state is not State.EXPLORE or not folder.is_dir():
            return serialization.current_timeline([], [])
        return SegmentLog(folder).timeline()

    @property
    def reached_steps(self) -> tuple[int, ...]:
        """The last known step of each walker."""
        return self.progress.steps

    def _ensembles(self) -> list[str]:
        """Return the different ensembles of the walkers."""
        walkers = range(1, self.n_walkers + 1)
        return list(dict.fromkeys(name for n in walkers for name in self.config.walker(n).engine.ensembles))

    def _validated(self, walker: int) -> int:
        if not 1 <= walker <= self.n_walkers:
            raise ConfigError(f"expected the number of a walker, from 1 to {self.n_walkers}, got {walker}")
        return walker

    def trained_on(self) -> list[Atoms]:
        """Read the labeled structures that the generation in use was trained on, oldest first."""
        return [atoms for group in serialization.read_groups(self.progress, self._store) for atoms in group]

    def reference_energies_from(self) -> str:
        """Return where the reference energies are from, and why they are not from isolated atoms; empty if unknown."""
        generation, failures = self.generation, self.progress.isolated_failures
        if generation is None:
            return ""
        causes = "; ".join(f"{element}: {cause}" for element, cause in sorted(failures.items()))
        source = SOURCES[generation.energies_from]
        return f"{source}, since no isolated atoms could be labeled ({causes})" if causes else source

    def _functions(self) -> list[tuple[str, str]]:
        """Return an item of the summary if the basis has fewer functions than configured."""
        potential = self.config.potential
        elements = sorted(set(self.initial_structure().get_chemical_symbols()))
        remark = fewer_functions(potential, elements) if potential.trainer in TRAINERS else ""
        return [("functions", remark)] if remark else []

    def _potential(self) -> str:
        generation = self.generation
        if generation is None:
            return "none yet"
        if generation.baseline is None:
            return f"{generation.number}, potentials/{generation.name}.yace"
        file = f"{generation.name}.in" if generation.baseline.in_lammps else f"{generation.name}.yaml"
        return f"{generation.number} over {generation.baseline.name}, potentials/{file}"


def _is_outdated(event: Mapping[str, Any], progress: Progress) -> bool:
    """Return whether the label of an isolated atom is of other settings of the oracle than the present ones."""
    return event.get("settings", "") != progress.settings and not event.get("own", False)


def what_next(progress: Progress, directory: Path) -> str:
    """Return what the campaign is waiting for, as the end of an error message.

    Parameters
    ----------
    progress
        The state of the campaign.
    directory
        The campaign's directory.
    """
    if progress.state is State.DONE:
        return (
            "the campaign is done: it has reached the requested steps; if temperature and pressure are constant, "
            f"continue it with more steps: Campaign.open({str(directory)!r}, steps=...)"
        )
    if progress.state is State.FAILED:
        return (
            f"the campaign failed in {progress.failed_state}; fix the cause and continue it from there: "
            f"Campaign.open({str(directory)!r})"
        )
    work = State.DIAGNOSE if progress.state is State.HALT else progress.state
    return f"the campaign is in state {progress.state}; continue with campaign.{work.lower()}()"


def steps_reached(steps: Sequence[int], total: int) -> str:
    """Return the steps of the walkers as text.

    Parameters
    ----------
    steps
        MD step of each walker.
    total
        Requested steps.
    """
    if len(steps) > MAX_LISTED:
        return f"{min(steps)} to {max(steps)} of {total}, by {len(steps)} walkers"
    return f"{', '.join(map(str, steps))} of {total}"


def state_strip(progress: Progress) -> tuple[tuple[str, str], ...]:
    """Return the states of the cycle, each marked as ``done``, ``now``, ``failed`` or ``open``.

    Parameters
    ----------
    progress
        The state of the campaign.

    Returns
    -------
    tuple of (state, mark)
    """
    current = progress.failed_state or progress.state
    if current is State.DONE:
        visited = CYCLE if progress.halt else (State.EXPLORE, State.LABEL, State.TRAIN)
        return tuple((state.value, "done" if state in visited else "open") for state in CYCLE)
    position = CYCLE.index(current)
    before = "done" if progress.halt else "open"  # the first generation precedes the first round
    marks = [before if index < position else "open" for index in range(len(CYCLE))]
    marks[position] = "failed" if progress.state is State.FAILED else "now"
    return tuple((state.value, mark) for state, mark in zip(CYCLE, marks, strict=True))


def _describe_atoms(atoms: Atoms) -> str:
    """Return the formula, and the numbers of frozen atoms and of atoms with masses of their own."""
    parts = [atoms.get_chemical_formula()]
    if n_frozen := int(frozen_atoms(atoms).sum()):
        parts.append(f"{n_frozen} of {len(atoms)} atoms frozen")
    if MASSES in atoms.arrays:
        n_special = int((abs(atoms.get_masses() - Atoms(atoms.numbers).get_masses()) > 1e-6).sum())
        parts.append(f"{n_special} with masses of their own")
    return ", ".join(parts)


def _counted_forces(atoms: Atoms) -> np.ndarray:
    """Return the forces on the atoms of a label that count in the fit, eV/Å."""
    mask = mask_of(atoms)
    return forces_of(atoms) if mask is None else forces_of(atoms)[mask]
