"""What a campaign has done so far, read from its directory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from acemaker.campaign import recall
from acemaker.campaign.admission import generation_of
from acemaker.campaign.chronicle import History
from acemaker.campaign.contents import contained
from acemaker.campaign.journal import read_events
from acemaker.campaign.label_files import read_label
from acemaker.campaign.progress import Progress
from acemaker.campaign.standing import state_strip, steps_reached
from acemaker.campaign.store import Store
from acemaker.config import CampaignConfig
from acemaker.display.summary import Summary
from acemaker.engines.segment_log import SegmentLog
from acemaker.errors import ConfigError
from acemaker.potentials.generation import Generation
from acemaker.results import Halt, Segment, Timeline
from acemaker.results.record import Record
from acemaker.review.convergence import Convergence, convergence
from acemaker.review.difference import KnownGeneration
from acemaker.review.label_costs import LabelCosts, label_costs
from acemaker.review.rounds import Round, rounds_of
from acemaker.review.what_if import WhatIf, other_rule, what_if
from acemaker.states import State
from acemaker.structures.files import read_structures

if TYPE_CHECKING:
    from acemaker.display.picture import Picture
    from acemaker.display.what_if_slider import WhatIfSlider
    from acemaker.review.thresholds import Thresholds
    from acemaker.verdict.verdict import Verdict


class CampaignView(Record):
    """What can be seen of a campaign without moving it.

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

    def segments(self) -> list[Segment]:
        """Read all explored segments from disk, each of them once."""
        progress = self.progress
        with self._reading:
            self._ended += recall.read_segments(progress, self._store, first=len(self._ended) + 1)
            return self._ended[: len(progress.segments)]

    @property
    def halt(self) -> Halt | None:
        """The halt that is being healed, else the last one; None before the first."""
        number = self.progress.shown_halt
        return recall.read_halt(self.progress.halts[number - 1], self._store) if number else None

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
        return recall.standing_timeline(*self._checks(self._known(walker)))

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
        return recall.standing_trajectory(self.progress, self._store, self._known(walker))

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
        if progress.generation >= 0:
            items.append(("converged", "yes" if self._convergence(progress.steps).converged else "not yet"))
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
        from acemaker.display.timeline import timeline_figure

        chosen = None if walker is None else self._known(walker)
        segments = [one for one in self.segments() if chosen in (None, one.walker or 1)]
        return timeline_figure(segments, self.config.otf)

    def rounds(self) -> tuple[Round, ...]:
        """Gather what happened at each halt; the first round is the making of generation 0."""
        return rounds_of(read_events(self._store.journal)[0])

    def generations(self) -> tuple[KnownGeneration, ...]:
        """List the accepted generations; two of them can be subtracted: ``generations[4] - generations[3]``."""
        labels = tuple(self._trained_on())
        return tuple(
            KnownGeneration(generation=generation, labels=labels, known=generation.n_structures)
            for number in range(self.progress.generation + 1)
            for generation in [generation_of(self._store, number, self.config)]
        )

    def label_costs(self) -> LabelCosts:
        """Add up what the labels cost, beside what labelling without gamma would have cost."""
        largest = max(len(atoms) for atoms in self.starts)
        return label_costs(self.rounds(), self._store.directory, largest, self.reached)

    def convergence(self) -> Convergence:
        """Say whether the campaign has anything left to learn where it runs.

        Returns
        -------
        Convergence
            Its figures; the segment that is running counts.
        """
        running, steps = self.running_checks().step, list(self.progress.steps)
        if len(running):
            turn = self.progress.walker - 1
            steps[turn] = max(steps[turn], int(running[-1]))
        return self._convergence(steps)

    def _convergence(self, steps: Sequence[int]) -> Convergence:
        halts = [one.last_halt_step for one in self.progress.walkers]
        return convergence(steps, halts, self.progress.errors, self.config.convergence)

    def what_if(self, **rule: float | int) -> WhatIf:
        """Look where the recorded run would have halted under another rule.

        Parameters
        ----------
        **rule
            ``threshold_call_dft``, ``threshold_break``, ``smooth_steps``.

        Returns
        -------
        WhatIf

        Raises
        ------
        ConfigError
            For another name, or a rule that is none.
        """
        rounds = self.rounds()
        made = [len(one.labels) for one in rounds[1:]]
        return what_if(
            self.segments(),
            other_rule(self.config.otf, rule),
            n_first=len(rounds[0].labels),
            labels_a_halt=float(np.mean(made)) if made else float(self.config.otf.n_select),
        )

    def what_if_slider(self) -> WhatIfSlider | Thresholds:
        """Show `what_if` with sliders for ``threshold_call_dft`` and ``smooth_steps``.

        Returns
        -------
        WhatIfSlider or Thresholds
            A widget in a notebook that somebody watches; elsewhere a table of thresholds, and a picture.
        """
        from acemaker.display.what_if_slider import what_if_slider

        return what_if_slider(self.what_if())

    def report(self, verdict: Verdict | None = None, file: str | Path | None = None) -> Path:
        """Write the campaign's story with its pictures into one HTML file without outside references.

        Parameters
        ----------
        verdict
            Of `acemaker.judge`, to be told as well.
        file
            Where to; ``report.html`` in the campaign's directory if None.

        Returns
        -------
        Path
            The file.
        """
        from acemaker.review.report import write_report

        return write_report(self, verdict, Path(file) if file is not None else None)

    def versions(self) -> tuple[tuple[str, str], ...]:
        """List the packages with which the campaign was made, and their versions."""
        created = read_events(self._store.journal)[0][0]
        return tuple(created.get("versions", {}).items())

    def _checks(self, walker: int) -> tuple[list[Timeline], list[int]]:
        """Read the checks of a walker's segments, each of them once, and where these began; frames are left alone."""
        progress = self.progress
        with self._reading:
            self._checked += recall.read_timelines(progress, self._store, first=len(self._checked) + 1)
            numbers = recall.segments_of(progress, walker)
            timelines = [self._checked[number - 1] for number in numbers]
        return timelines, [int(progress.segments[number - 1]["start_step"]) for number in numbers]

    def halt_points(self, walker: int = 1) -> list[tuple[int, float]]:
        """List the halts of a walker by step, and the largest gamma of each."""
        events = [self.progress.segments[number - 1] for number in recall.segments_of(self.progress, walker)]
        pairs = zip(self._checks(walker)[0], events, strict=False)
        return [(int(event["halt"]["step"]), float(one.gamma_max[-1])) for one, event in pairs if event["halt"]]

    def running_checks(self) -> Timeline:
        """Read the checks of the segment that is being explored, or was broken off; empty where there is none."""
        folder = self._store.segment(len(self.progress.segments) + 1)
        if self.state is not State.EXPLORE or not folder.is_dir():
            return recall.standing_timeline([], [])
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

    def _trained_on(self) -> list[Atoms]:
        return [atoms for group in recall.read_groups(self.progress, self._store) for atoms in group]

    def _potential(self) -> str:
        generation = self.generation
        if generation is None:
            return "none yet"
        if generation.baseline is None:
            return f"{generation.number}, potentials/{generation.name}.yace"
        file = f"{generation.name}.in" if generation.baseline.in_lammps else f"{generation.name}.yaml"
        return f"{generation.number} over {generation.baseline.name}, potentials/{file}"
