"""The labels of a campaign: the work of LABEL, the label files, and their entries in the journal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from acemaker import steps
from acemaker.config import OracleConfig
from acemaker.config.campaign import CHANGEABLE
from acemaker.errors import DamagedFileError
from acemaker.labeling.backend import Backend
from acemaker.labeling.collector import Collector
from acemaker.labeling.factory import GivenExecutor, make_backend
from acemaker.labeling.job import FinishedLabels, Job, LabelFailure
from acemaker.labeling.request import CollectedLabel, LabelRequest
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.label_files import find_label, read_label, set_aside, write_label
from acemaker.loop.label_store import LabelStore
from acemaker.loop.oracle_files import check_oracle_files
from acemaker.loop.progress import Event
from acemaker.loop.store import Store, contained
from acemaker.oracles.fingerprint import fingerprint, oracle_source
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.start_moments import collapse_remark
from acemaker.results import Candidates, FirstLabels, Labels, Selection, Submission
from acemaker.structures.computed import energy_of
from acemaker.structures.files import read_structures
from acemaker.structures.mask import mask_of, with_mask_of
from acemaker.structures.per_atom import MOMENTS
from acemaker.utils.checksum import checksum

logger = logging.getLogger("acemaker")

LATER_FIELDS = ("magnetic_moments", "hubbard")
"""Fields that enter a key only if they are set, so that the keys of labels from before they existed stay valid."""

SHARED = "from_label_store"
"""Entry in a label's ``info``: it was computed by another campaign."""

_NONE = hashlib.sha256()
"""Begins a key of a structure alone."""

UNSETTLED = {*CHANGEABLE["oracle"], "label_process", "max_force", "max_net_force", "min_label_distance"}
"""Settings that decide where a label is computed, or whether it is accepted, but not its values."""


class LabelWork:
    """Has selections labeled.

    Parameters
    ----------
    journaled
        The journal and its state.
    store
        Names of the campaign's files.
    elements
        Elements of the system.
    oracle
        The user's oracle object, or None.
    executor
        The user's executor, or None.
    own_engine
        Whether the user's engine explores, which may not need a stress in any ensemble.

    Attributes
    ----------
    own_oracle : Oracle or None
        The user's oracle object.
    on_label : callable
        Called with each label that was stored.
    on_wait : callable
        Called every second during the wait for labels; may raise an exception to end it.
    on_relabeled : callable
        Called with the file of a label that was computed again, and the new label; returns the error on a probe.
    """

    def __init__(
        self,
        journaled: JournaledState,
        store: Store,
        elements: tuple[str, ...],
        oracle: Oracle | None,
        executor: GivenExecutor | None,
        *,
        own_engine: bool = False,
    ) -> None:
        self._journaled, self._store, self._elements = journaled, store, elements
        self._own_engine = own_engine
        self.own_oracle, self._executor = oracle, executor
        self._finished = FinishedLabels(store.queue)
        self._labels: CampaignLabels | None = None
        self._backend: Backend | None = None
        self._collector: Collector | None = None
        self.on_label: Callable[[CollectedLabel], None] = lambda _: None
        self.on_wait: Callable[[], None] = lambda: None
        self.on_relabeled: Callable[[str, Atoms], dict[str, Any] | None] = lambda *_: None

    def label(self, selection: Selection, isolated: Sequence[Atoms] = (), *, is_probe: bool = False) -> Labels:
        """Wait for all labels of a selection, and of isolated atoms that are labeled with it.

        Parameters
        ----------
        selection
            The structures.
        isolated
            The isolated atoms.
        is_probe
            Whether the campaign can go on without the label.
        """
        return steps.label(selection, self._collector_of(selection, isolated, is_probe))

    def submit(self, selection: Selection, isolated: Sequence[Atoms] = (), *, is_probe: bool = False) -> Submission:
        """Hand out the missing structures of a selection, and isolated atoms."""
        return steps.submit(selection, self._collector_of(selection, isolated, is_probe))

    def collect(
        self, selection: Selection, isolated: Sequence[Atoms] = (), *, is_probe: bool = False
    ) -> Labels | Submission:
        """Collect the labels that are finished."""
        return steps.collect(selection, self._collector_of(selection, isolated, is_probe))

    def complete(
        self,
        pending: Event,
        structures: Sequence[Atoms],
        files: Sequence[Path],
        selected: Sequence[int],
        optional: Collection[int] = (),
    ) -> None:
        """Wait for the labels of structures that were added by hand, or that are computed again.

        Parameters
        ----------
        pending
            The event that began it.
        structures, files
            The structures, and the files of their labels.
        selected
            Numbers of those to label.
        optional
            Numbers of further ones, which are isolated atoms.
        """
        labels, backend = self._prepare()
        labels.on_relabeled = self.on_relabeled
        jobs = labels.pending_jobs(pending, structures, files)
        request = LabelRequest(
            jobs=jobs,
            selected=tuple(selected),
            reserve=(),
            needed=0,
            max_retries=self._journaled.config.otf.max_retries,
            max_force=self._journaled.config.oracle.max_force,
            optional=tuple(sorted(optional)),
            needs_stress=self._needs_stress(),
            accepts_none=self._needs_stress() and self._accepts_none(),
        )
        try:
            Collector(request, backend, labels, self._finished, on_label=self.on_label, on_wait=self.on_wait).label()
        finally:
            self.forget()

    def forget(self) -> None:
        """Read which labels exist again from the journal, after they were changed."""
        self._labels = None

    def close(self) -> None:
        """End what would keep this process from ending; what can continue without it does."""
        backend, self._backend, self._collector = self._backend, None, None
        if backend is not None:
            backend.leave()

    def _collector_of(self, selection: Selection, isolated: Sequence[Atoms], is_probe: bool) -> Collector:
        """Return the collector that labels a selection already, or a new one."""
        if self._collector is not None and not self._collector.over:
            request = self._collector.request
            current = request.jobs[0].halt, request.selected, request.reserve
            if current == (selection.candidates.halt_number, selection.selected, selection.reserve):
                return self._collector
            self._collector.end()  # other candidates were chosen in the meantime
        labels, backend = self._prepare()
        config = self._journaled.config
        jobs = labels.jobs(selection.candidates)
        optional = labels.isolated_jobs(isolated, first=len(jobs))
        request = LabelRequest(
            jobs=(*jobs, *optional),
            selected=selection.selected,
            reserve=selection.reserve,
            needed=0 if is_probe else 1 if selection.candidates.halt_number else len(selection.selected),
            max_retries=config.otf.max_retries,
            max_force=config.oracle.max_force,
            optional=tuple(job.candidate for job in optional),
            needs_stress=self._needs_stress(),
            accepts_none=self._needs_stress() and self._accepts_none(),
        )
        self._collector = Collector(
            request, backend, labels, self._finished, on_label=self.on_label, on_wait=self.on_wait
        )
        return self._collector

    def _prepare(self) -> tuple[CampaignLabels, Backend]:
        """Return the labels that exist, and the backend, which is created with the first label."""
        config = self._journaled.config
        recorded = self._journaled.progress.oracle_files
        if self.own_oracle is None and recorded:
            check_oracle_files(self._store.directory, recorded, config.oracle, self._elements)
        if self._backend is None:
            self._backend = make_backend(
                config.labeling,
                config.oracle,
                self._elements,
                folder=self._store.queue,
                keep=self._store.failures,
                own=self.own_oracle,
                given=self._executor,
            )
        if self._labels is None:
            self._labels = CampaignLabels(self._journaled, self._store, needs_stress=self._needs_stress())
            self._labels.earlier = self._earlier()
        self._labels.shared = self._shared()
        if self._backend.apart:
            self._finished.make()
        return self._labels, self._backend

    @property
    def needs_stress(self) -> bool:
        """Whether a walker has a barostat, and labels so far contain a stress."""
        return self._needs_stress() and not self._accepts_none()

    def _needs_stress(self) -> bool:
        """Return whether a walker has a barostat, whose pressure is learned from the stress."""
        if self._own_engine:
            return False
        config, numbers = self._journaled.config, range(1, len(self._journaled.progress.walkers) + 1)
        return any(config.walker(number).engine.has_barostat for number in numbers)

    def _accepts_none(self) -> bool:
        """Return whether a stress may be missing in all labels: if it is in the first one, or nothing was checked."""
        labels = [entry for entry in self._journaled.progress.labels if not entry.own]
        if not labels:
            return not self._journaled.config.oracle.oracle_check
        with contextlib.suppress(DamagedFileError):  # it is reported where it is used
            first = labels[0]
            return "stress" not in read_label(contained(self._store.directory, first.file), first.sum).calc.results
        return False

    def _shared(self) -> LabelStore | None:
        """Return the store of shared labels, if there is one."""
        oracle = self._journaled.config.oracle
        # the settings of an oracle object are unknown, so its labels cannot be shared
        if not oracle.label_store or self.own_oracle is not None:
            return None
        return LabelStore(Path(oracle.label_store).expanduser(), fingerprint(oracle, self._elements))

    def _earlier(self) -> LabelStore | None:
        """Return the labels of campaigns that this one has replaced, if there are any."""
        if not self._store.earlier.is_dir():
            return None
        source = oracle_source(self._journaled.config.oracle, self._elements, self.own_oracle)
        return LabelStore(self._store.earlier, source)


class CampaignLabels:
    """The labels of one campaign, in its journal and on disk: the `LabelSink` of its collectors.

    A label exists if its file does, if an equal structure was labeled before with equal settings, also by a campaign
    that this one has replaced, or if it is in the shared store.

    Parameters
    ----------
    journaled
        The journal, in which labels and failures are recorded.
    store
        Names of the campaign's files.
    needs_stress
        Whether labels of other campaigns are used only if they contain a stress.

    Attributes
    ----------
    shared : LabelStore or None
        Labels that the campaign shares with others.
    earlier : LabelStore or None
        Labels of earlier campaigns in the directory.
    on_relabeled : callable
        Called with the file of a label that was computed again, and the new label; returns the error on a probe.
    """

    def __init__(self, journaled: JournaledState, store: Store, *, needs_stress: bool = False) -> None:
        self._journaled, self._store, self._needs_stress = journaled, store, needs_stress
        self.shared: LabelStore | None = None
        self.earlier: LabelStore | None = None
        self.on_relabeled: Callable[[str, Atoms], dict[str, Any] | None] = lambda *_: None
        self._settings = hashlib.sha256()
        self._finished = str(store.queue)
        self._file_of_key: dict[str, str] = {}
        self._isolated: dict[str, str] = {}  # elements of isolated atoms by file
        self._recorded: dict[str, tuple[str, str]] = {}  # key and checksum by file
        self._pending: Event | None = None
        self._first: Sequence[Atoms] | None = None
        self._first_record: FirstLabels | None = None
        self._unusable: set[str] = set()  # keys of labels that must not be used again for an equal structure
        progress = journaled.progress
        for entry in progress.labels:
            self._file_of_key.setdefault(entry.key, entry.file)  # of equal structures, the oldest label counts
        for entry in progress.all_labels:
            self._recorded[entry.file] = entry.key, entry.sum
            if entry.key not in self._file_of_key:
                self._unusable.add(entry.key)
        for event in (*progress.revisions.isolated.values(), *progress.isolated.values()):
            self._recorded[event["file"]] = event["key"], event.get("sum", "")

    def jobs(self, candidates: Candidates) -> tuple[Job, ...]:
        """Return the job of each candidate.

        Parameters
        ----------
        candidates
            The candidates of the current halt, or the initial structures.
        """
        self._pending = None
        halt, structures = candidates.halt_number, candidates.structures
        files = [str(self._store.label(halt, number)) for number in range(len(structures))]
        return self._jobs(structures, files, halt, first=0)

    def pending_jobs(self, pending: Event, structures: Sequence[Atoms], files: Sequence[Path]) -> tuple[Job, ...]:
        """Return the job of each label of an addition, or of each label that is computed again.

        Parameters
        ----------
        pending
            The event that began it; labels and failures are recorded as parts of it.
        structures, files
            The structures, and the files of their labels.
        """
        self._pending, self._isolated = pending, {}
        if pending["event"] == "relabeling":
            isolated = self._journaled.progress.revisions.isolated
            current = {event["file"]: event for event in self._journaled.progress.isolated.values()} | dict(isolated)
            for file, old in zip(files, pending["files"], strict=True):
                self._unusable.add(self._recorded[old][0])
                if old in current:
                    self._isolated[str(file)] = current[old]["element"]
        return self._jobs(structures, [str(file) for file in files], None, first=0)

    def isolated_jobs(self, structures: Sequence[Atoms], first: int) -> tuple[Job, ...]:
        """Return the job of each isolated atom.

        Parameters
        ----------
        structures
            One isolated atom per element.
        first
            Number of the first job, as if it were a candidate.
        """
        files = [str(self._store.isolated_atom(atoms.symbols[0])) for atoms in structures]
        self._isolated = {file: atoms.symbols[0] for file, atoms in zip(files, structures, strict=True)}
        return self._jobs(structures, files, None, first)

    def _jobs(self, structures: Sequence[Atoms], files: Sequence[str], halt: int | None, first: int) -> tuple[Job, ...]:
        self._settings = _settings(self._journaled.config.oracle)
        return tuple(
            Job(key=self._key(atoms), candidate=number, atoms=atoms, finished=self._finished, label=file, halt=halt)
            for number, (atoms, file) in enumerate(zip(structures, files, strict=True), start=first)
        )

    def find(self, job: Job) -> Atoms | LabelFailure | None:
        """Return the label of a job as it is stored, the failure recorded for it, or None.

        A label of an equal structure, and one of the shared store, is stored as the job's own, unless the earlier
        label was removed or is computed again. Files of another label, or that are both damaged, are renamed.
        """
        file = Path(job.label)
        recorded = self._recorded.get(self._name(job))
        labeled = find_label(file, "" if recorded is None else recorded[1])
        if labeled is not None:
            is_same = self._key(labeled) == job.key
            # a recorded label of the same structure counts, although the settings of the oracle have changed since
            if is_same or (recorded is not None and structure_key(labeled) == structure_key(job.atoms)):
                return self._record(job, labeled)
            set_aside(file)
        if (labeled := self._first_label(job)) is not None:
            return self._record(job, write_label(file, labeled))
        labeled = None if job.key in self._unusable else self._find_equal(job)
        if labeled is not None:
            return self.store(job, labeled)
        failure = self._failure(job)
        if failure is None:
            return None
        return LabelFailure(candidate=job.candidate, attempts=failure.get("attempts", 0), cause=failure["cause"])

    def _number_of_first(self, job: Job) -> int | None:
        """Return the number of the label that existed before the campaign; None for a job that is computed."""
        first = self._journaled.progress.first_labels
        if not first or self._pending is not None:
            return None
        if (element := self._isolated.get(job.label)) is not None:
            elements = sorted(first["isolated"])
            return len(first["labels"]) + elements.index(element) if element in elements else None
        return job.candidate if job.halt is None and job.candidate < len(first["labels"]) else None

    def _first_label(self, job: Job) -> Atoms | None:
        """Return the label of a structure that had one before the campaign."""
        if (number := self._number_of_first(job)) is None:
            return None
        if self._first is None:
            self._first = read_structures(self._store.first_labels)
        return self._first[number]

    def _source_of(self, job: Job) -> dict[str, Any]:
        """Return the fields of the event of a label that existed before the campaign; empty for others."""
        if self._number_of_first(job) is None:
            return {}
        if self._first_record is None:
            self._first_record = FirstLabels.from_event(self._journaled.progress.first_labels)
        first = self._first_record
        element = self._isolated.get(job.label)
        place = first.places[job.candidate] if element is None else first.isolated[element]
        return {"own": True, "source": first.source_of(place)}

    def _find_equal(self, job: Job) -> Atoms | None:
        """Return a label of an equal structure with the same settings, also of another campaign."""
        if job.key in self._file_of_key:
            name = self._file_of_key[job.key]
            labeled = read_label(contained(self._store.directory, name), self._recorded[name][1])
            return with_mask_of(job.atoms, labeled)  # the equal structure may have another mask
        labeled = None if self.earlier is None else self.earlier.find(job.key, self._key)
        if labeled is not None and self._is_usable(job, labeled):
            return with_mask_of(job.atoms, labeled)
        labeled = None if self.shared is None else self.shared.find(job.key, self._key)
        if labeled is not None and self._is_usable(job, labeled):
            shared = with_mask_of(job.atoms, labeled).copy()
            shared.calc = labeled.calc
            shared.info[SHARED] = True
            return shared
        return None

    def _failure(self, job: Job) -> Event | None:
        """Return the event of a recorded failure."""
        progress = self._journaled.progress
        if self._pending is not None:
            return progress.revisions.failures.get(job.candidate)
        if (element := self._isolated.get(job.label)) is not None:
            cause = progress.isolated_failures.get(element)
            return None if cause is None else {"cause": cause}
        return progress.failures.get(job.candidate)

    def store(self, job: Job, labeled: Atoms) -> Atoms:
        """Write a label, record it in the journal, and return it as it is stored.

        A label whose magnetic moments vanished or changed their sign is reported, and stored like any other.
        """
        stored = self._record(job, write_label(Path(job.label), labeled))
        by_element = self._journaled.config.oracle.magnetic_moments
        is_magnetic = bool(by_element) or MOMENTS in job.atoms.arrays
        if is_magnetic and (remark := collapse_remark(job.atoms, labeled, by_element)):
            logger.warning(f"label of candidate {job.candidate}: {remark}")
        return stored

    def fail(self, job: Job, failure: LabelFailure) -> None:
        """Record in the journal that a structure cannot be labeled."""
        if self._pending is None and (element := self._isolated.get(job.label)) is not None:
            self._journaled.append("isolated_atom_failed", element=element, cause=failure.cause)
            return
        self._journaled.append(
            "label_failed",
            halt=job.halt,
            candidate=failure.candidate,
            attempts=failure.attempts,
            cause=failure.cause,
            **self._of_pending,
        )

    @property
    def _of_pending(self) -> dict[str, int]:
        return {} if self._pending is None else {"addition": self._pending["number"]}

    def _is_usable(self, job: Job, labeled: Atoms) -> bool:
        """Return whether a label of another campaign contains the stress that a barostat needs."""
        if not self._needs_stress or "stress" in labeled.calc.results:
            return True
        return not job.atoms.pbc.all() or job.label in self._isolated or mask_of(job.atoms) is not None

    def _key(self, atoms: Atoms) -> str:
        return _key(atoms, self._settings)

    def _record(self, job: Job, labeled: Atoms) -> Atoms:
        """Record a label whose file was written, unless the journal has it, and share it."""
        file, shared = self._name(job), bool(labeled.info.get(SHARED, False))
        if file not in self._recorded:
            event = {"file": file, "key": job.key, "sum": checksum(Path(job.label).read_bytes()), **self._of_pending}
            event |= {"shared": True} if shared else self._source_of(job)
            replaced = self._replaced_by(job)
            if (element := self._isolated.get(job.label)) is not None:
                self._journaled.append("isolated_atom", element=element, energy_eV=energy_of(labeled), **event)
                logger.info(f"isolated atom: {element}, {energy_of(labeled):.4f} eV")
            elif replaced:
                measured = self.on_relabeled(replaced, labeled)
                probe = {} if measured is None else {"probe": measured}
                self._journaled.append("relabeled", of=replaced, **event, **probe)
            else:
                self._journaled.append("label", halt=job.halt, candidate=job.candidate, **event)
                self._file_of_key.setdefault(job.key, file)
            self._recorded[file] = job.key, str(event["sum"])
        is_computed = self._recorded[file][0] == job.key and not shared
        if self.shared is not None and is_computed and self._number_of_first(job) is None:
            self.shared.keep(job.key, labeled)
        return labeled

    def _name(self, job: Job) -> str:
        return Path(job.label).relative_to(self._store.directory).as_posix()

    def _replaced_by(self, job: Job) -> str:
        """Return the file of the label that is computed again by a job; empty for other jobs."""
        is_relabeling = self._pending is not None and self._pending["event"] == "relabeling"
        return self._pending["files"][job.candidate] if self._pending is not None and is_relabeling else ""


def structure_key(atoms: Atoms) -> str:
    """Return a hash of a structure alone, which is equal for labels of it with any settings."""
    return _key(atoms, _NONE)


def settings_digest(oracle: OracleConfig) -> str:
    """Return a hash of the settings of an oracle that determine its labels."""
    return _settings(oracle).hexdigest()[:20]


def label_key(atoms: Atoms, oracle: OracleConfig) -> str:
    """Return the key of a label: a hash of its structure and the oracle's settings."""
    return _key(atoms, _settings(oracle))


def _settings(oracle: OracleConfig) -> hashlib._Hash:
    """Begin a key with the oracle's settings."""
    settings = oracle.model_dump(mode="json", exclude=UNSETTLED)
    settings = {name: value for name, value in settings.items() if value or name not in LATER_FIELDS}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode())


def _key(atoms: Atoms, settings: hashlib._Hash) -> str:
    digest = settings.copy()
    for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc):
        digest.update(np.ascontiguousarray(array).tobytes())
    moments = atoms.arrays.get(MOMENTS)
    if moments is not None and moments.any():  # otherwise, the key is that of versions without moments
        digest.update(np.ascontiguousarray(moments, dtype=float).tobytes())
    return digest.hexdigest()[:20]
