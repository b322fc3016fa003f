"""The facts of a campaign, read from its directory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.engines.segment_log import SegmentLog
from acemaker.errors import ConfigError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary
from acemaker.loop import serialization
from acemaker.loop.authorization import generation_of
from acemaker.loop.contents import contained
from acemaker.loop.journal import read_events
from acemaker.loop.journaled_state import History
from acemaker.loop.label_files import read_label
from acemaker.loop.messages import state_strip, steps_reached
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.oracles.oracle import Oracle
from acemaker.potentials.generation import Generation
from acemaker.results import Halt, Segment, Timeline
from acemaker.states import State
from acemaker.structures.files import read_structures


class CampaignReader(Record):
    """The facts of a campaign: its configuration, state, segments, labels and generations.

    Analyses take a reader; `Campaign` and `AttachedCampaign` are readers, too.

    Parameters
    ----------
    store
        Its files.
    history
        What its journal adds up to.
    """

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history
        self._initial: Atoms | None = None
        self._ended: list[Segment] = []
        self._checked: list[Timeline] = []
        self._reading = threading.Lock()  # a painter's thread and a cell may ask at once

    @property
    def config(self) -> CampaignConfig:
        """Everything that defines the campaign."""
        return self._history.config

    @property
    def progress(self) -> Progress:
        """Where it stands."""
        return self._history.progress

    @property
    def initial(self) -> Atoms:
        """The structure with which the trajectory starts."""
        if self._initial is None:
            self._initial = read_structures(self._store.initial)[0]
        return self._initial

    @property
    def n_walkers(self) -> int:
        """How many trajectories explore."""
        return len(self.progress.walkers)

    @property
    def starts(self) -> tuple[Atoms, ...]:
        """The structure with which each walker starts."""
        return read_structures(self._store.initial)

    @property
    def directory(self) -> Path:
        """Where the campaign lives."""
        return self._store.directory

    @property
    def state(self) -> State:
        """The work that comes next, ``DONE`` or ``FAILED``."""
        return self.progress.state

    @property
    def generation(self) -> Generation | None:
        """The potential in use; None before generation 0."""
        number = self.progress.generation
        return None if number < 0 else generation_of(self._store, number, self.config)

    def known_generation(self, number: int) -> Generation:
        """Return an accepted generation by its number."""
        return generation_of(self._store, number, self.config)

    def segments(self) -> list[Segment]:
        """Read all explored segments from disk, each of them once."""
        progress = self.progress
        with self._reading:
            self._ended += serialization.read_segments(progress, self._store, first=len(self._ended) + 1)
            return self._ended[: len(progress.segments)]

    @property
    def halt(self) -> Halt | None:
        """The halt that is being healed, else the last one; None before the first."""
        number = self.progress.shown_halt
        return serialization.read_halt(self.progress.halts[number - 1], self._store) if number else None

    def timeline(self, walker: int = 1) -> Timeline:
        """Read the checks of a walker's trajectory that stands, without the parts that were run again.

        Parameters
        ----------
        walker
            Its number, from 1.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return serialization.standing_timeline(*self._checks(self._known(walker)))

    def trajectory(self, walker: int = 1) -> list[Atoms]:
        """Read the frames of a walker's trajectory that stands, unwrapped, with gamma.

        Parameters
        ----------
        walker
            Its number, from 1.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return serialization.standing_trajectory(self.progress, self._store, self._known(walker))

    def labels(self) -> list[Atoms]:
        """Read all labelled structures, oldest first."""
        return [read_label(contained(self.directory, entry.file)) for entry in self.progress.labels]

    def summary(self) -> Summary:
        """Return what the campaign says of itself."""
        progress, engine = self.progress, self.config.engine
        items = [
            ("directory", self.directory.name),
            ("system", f"{self.initial.get_chemical_formula()}, {', '.join(self._ensembles())}"),
            ("steps", steps_reached(self.reached, engine.steps)),
            ("generation", self._potential()),
            ("halts, labels", f"{len(progress.halts)}, {progress.n_labels}"),
        ]
        if progress.error:
            items.append(("failed", progress.error))
        if self.n_walkers > 1:
            ended = sum(one.ended for one in progress.walkers)
            items.insert(2, ("walkers", f"{self.n_walkers}, of which {ended} at the last step"))
        return Summary(f"Campaign: {self.state}", tuple(items), strip=state_strip(progress))

    def figure(self, walker: int | None = None) -> Picture:
        """Draw gamma and temperature of a walker's segments, with thresholds, halts and generations.

        Parameters
        ----------
        walker
            Its number, from 1; None for all of them, one below the other, without temperatures if they are several.

        Raises
        ------
        ConfigError
            If there is no such walker.
        """
        return draw(self, None if walker is None else self._known(walker))

    @property
    def own_oracle(self) -> Oracle | None:
        """The oracle object that the campaign was opened with; None where the configuration names one."""
        return None

    def events(self) -> list[dict[str, Any]]:
        """Read the journal's events, oldest first."""
        return read_events(self._store.journal)[0]

    def versions(self) -> tuple[tuple[str, str], ...]:
        """List the packages with which the campaign was made, and their versions."""
        created = self.events()[0]
        return tuple(created.get("versions", {}).items())

    def _checks(self, walker: int) -> tuple[list[Timeline], list[int]]:
        """Read the checks of a walker's segments, each of them once, and where these began; frames are left alone."""
        progress = self.progress
        with self._reading:
            self._checked += serialization.read_timelines(progress, self._store, first=len(self._checked) + 1)
            numbers = serialization.segments_of(progress, walker)
            timelines = [self._checked[number - 1] for number in numbers]
        return timelines, [int(progress.segments[number - 1]["start_step"]) for number in numbers]

    def halt_points(self, walker: int = 1) -> list[tuple[int, float]]:
        """List the halts of a walker by step, and the largest gamma of each."""
        events = [self.progress.segments[number - 1] for number in serialization.segments_of(self.progress, walker)]
        pairs = zip(self._checks(walker)[0], events, strict=False)
        return [(int(event["halt"]["step"]), float(one.gamma_max[-1])) for one, event in pairs if event["halt"]]

    def running_checks(self) -> Timeline:
        """Read the checks of the segment that is being explored, or was broken off; empty where there is none."""
        folder = self._store.segment(len(self.progress.segments) + 1)
        if self.state is not State.EXPLORE or not folder.is_dir():
            return serialization.standing_timeline([], [])
        return SegmentLog(folder).timeline()

    @property
    def reached(self) -> tuple[int, ...]:
        """The step to which each walker has come, as far as that is known here."""
        return self.progress.steps

    def _ensembles(self) -> list[str]:
        """Name the ensembles of all walkers, each once."""
        return list(dict.fromkeys(self.config.walker(n).engine.ensemble for n in range(1, self.n_walkers + 1)))

    def _known(self, walker: int) -> int:
        if not 1 <= walker <= self.n_walkers:
            raise ConfigError(f"there are {self.n_walkers} walkers, numbered from 1; got {walker}")
        return walker

    def trained_on(self) -> list[Atoms]:
        """Read the labeled structures that the generation in use was trained on, oldest first."""
        return [atoms for group in serialization.read_groups(self.progress, self._store) for atoms in group]

    def _potential(self) -> str:
        generation = self.generation
        if generation is None:
            return "none yet"
        if generation.baseline is None:
            return f"{generation.number}, potentials/{generation.name}.yace"
        file = f"{generation.name}.in" if generation.baseline.in_lammps else f"{generation.name}.yaml"
        return f"{generation.number} over {generation.baseline.name}, potentials/{file}"
