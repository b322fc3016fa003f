"""The labels of a campaign: the work of LABEL, the label files, and their entries in the journal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker import steps
from acemaker.config import OracleConfig
from acemaker.config.campaign import CHANGEABLE
from acemaker.errors import DamagedFileError
from acemaker.labeling.backend import Backend
from acemaker.labeling.collector import CollectedLabel, Collector, LabelRequest
from acemaker.labeling.factory import GivenExecutor, make_backend
from acemaker.labeling.job import FinishedLabels, Job, LabelFailure
from acemaker.loop.journaled_state import JournaledState
from acemaker.loop.label_store import LabelStore
from acemaker.loop.oracle_files import check_oracle_files
from acemaker.loop.store import Store, contained
from acemaker.oracles.fingerprint import fingerprint, oracle_source
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.start_moments import collapse_remark
from acemaker.results import Candidates, Labels, Selection, Submission
from acemaker.structures.computed import energy_of
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.mask import mask_of, with_mask_of
from acemaker.structures.per_atom import MOMENTS

logger = logging.getLogger("acemaker")

LATER_FIELDS = ("magnetic_moments", "hubbard")
"""Fields that enter a key only if they are set, so that the keys of labels from before they existed stay valid."""

SPARE = "spare"
"""Folder of the second copies of labels, beside the first ones."""

SHARED = "from_label_store"
"""Entry in a label's ``info``: it was computed by another campaign."""

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
        self._labels.shared, self._labels.earlier = self._shared(), self._earlier()
        if self._backend.apart:
            self._finished.make()
        jobs = self._labels.jobs(selection.candidates)
        optional = self._labels.isolated_jobs(isolated, first=len(jobs))
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
            request, self._backend, self._labels, self._finished, on_label=self.on_label, on_wait=self.on_wait
        )
        return self._collector

    def _needs_stress(self) -> bool:
        """Return whether a walker has a barostat, whose pressure is learned from the stress."""
        if self._own_engine:
            return False
        config, numbers = self._journaled.config, range(1, len(self._journaled.progress.walkers) + 1)
        return any(config.walker(number).engine.ensemble == "npt" for number in numbers)

    def _accepts_none(self) -> bool:
        """Return whether a stress may be missing in all labels: if it is in the first one, or nothing was checked."""
        labels = self._journaled.progress.labels
        if not labels:
            return not self._journaled.config.oracle.oracle_check
        with contextlib.suppress(DamagedFileError):  # it is reported where it is used
            return "stress" not in read_label(contained(self._store.directory, labels[0].file)).calc.results
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
    """

    def __init__(self, journaled: JournaledState, store: Store, *, needs_stress: bool = False) -> None:
        self._journaled, self._store, self._needs_stress = journaled, store, needs_stress
        self.shared: LabelStore | None = None
        self.earlier: LabelStore | None = None
        self._settings = hashlib.sha256()
        self._finished = str(store.queue)
        self._file_of_key: dict[str, str] = {}
        self._files: set[str] = set()
        self._isolated: dict[str, str] = {}  # elements of isolated atoms by file
        for entry in journaled.progress.labels:
            self._file_of_key.setdefault(entry.key, entry.file)  # of equal structures, the oldest label counts
            self._files.add(entry.file)
        self._files |= {event["file"] for event in journaled.progress.isolated.values()}

    def jobs(self, candidates: Candidates) -> tuple[Job, ...]:
        """Return the job of each candidate.

        Parameters
        ----------
        candidates
            The candidates of the current halt, or the initial structures.
        """
        halt, structures = candidates.halt_number, candidates.structures
        files = [str(self._store.label(halt, number)) for number in range(len(structures))]
        return self._jobs(structures, files, halt, first=0)

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

        A label of an equal structure, and one of the shared store, is stored as the job's own. The remains of label
        files that are both damaged are renamed.
        """
        file = Path(job.label)
        labeled = find_label(file)
        if labeled is not None and self._key(labeled) == job.key:
            return self._record(job, labeled)
        if job.key in self._file_of_key:
            labeled = read_label(contained(self._store.directory, self._file_of_key[job.key]))
            return self.store(job, with_mask_of(job.atoms, labeled))  # the equal structure may have another mask
        labeled = None if self.earlier is None else self.earlier.find(job.key, self._key)
        if labeled is not None and self._is_usable(job, labeled):
            return self.store(job, with_mask_of(job.atoms, labeled))
        labeled = None if self.shared is None else self.shared.find(job.key, self._key)
        if labeled is not None and self._is_usable(job, labeled):
            shared = with_mask_of(job.atoms, labeled).copy()
            shared.calc = labeled.calc
            shared.info[SHARED] = True
            return self.store(job, shared)
        set_aside(file)
        if (element := self._isolated.get(job.label)) is not None:
            cause = self._journaled.progress.isolated_failures.get(element)
            return None if cause is None else LabelFailure(candidate=job.candidate, attempts=0, cause=cause)
        event = self._journaled.progress.failures.get(job.candidate)
        if event is None:
            return None
        return LabelFailure(candidate=job.candidate, attempts=event["attempts"], cause=event["cause"])

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
        if (element := self._isolated.get(job.label)) is not None:
            self._journaled.append("isolated_atom_failed", element=element, cause=failure.cause)
            return
        self._journaled.append(
            "label_failed",
            halt=job.halt,
            candidate=failure.candidate,
            attempts=failure.attempts,
            cause=failure.cause,
        )

    def _is_usable(self, job: Job, labeled: Atoms) -> bool:
        """Return whether a label of another campaign contains the stress that a barostat needs."""
        if not self._needs_stress or "stress" in labeled.calc.results:
            return True
        return not job.atoms.pbc.all() or job.label in self._isolated or mask_of(job.atoms) is not None

    def _key(self, atoms: Atoms) -> str:
        return _key(atoms, self._settings)

    def _record(self, job: Job, labeled: Atoms) -> Atoms:
        """Record a label whose file was written, unless the journal has it, and share it."""
        file = Path(job.label).relative_to(self._store.directory).as_posix()
        shared = bool(labeled.info.get(SHARED, False))
        if (element := self._isolated.get(job.label)) is not None:
            if file not in self._files:
                event = {"element": element, "file": file, "key": job.key, "energy_eV": energy_of(labeled)}
                self._journaled.append("isolated_atom", **event, **({"shared": True} if shared else {}))
                self._files.add(file)
                logger.info(f"isolated atom: {element}, {energy_of(labeled):.4f} eV")
        elif file not in self._files:
            event = {"halt": job.halt, "candidate": job.candidate, "file": file, "key": job.key}
            self._journaled.append("label", **event, **({"shared": True} if shared else {}))
            self._file_of_key.setdefault(job.key, file)
            self._files.add(file)
        if self.shared is not None and not shared:
            self.shared.keep(job.key, labeled)
        return labeled


def label_key(atoms: Atoms, oracle: OracleConfig) -> str:
    """Return the key of a label: a hash of its structure and the oracle's settings."""
    return _key(atoms, _settings(oracle))


def write_label(path: Path, atoms: Atoms) -> Atoms:
    """Write the two files of a label, each whole or not at all.

    Parameters
    ----------
    path
        The first file.
    atoms
        The labeled structure.

    Returns
    -------
    Atoms
        The label as it is in the files, which are equal.
    """
    (labeled,) = write_structures(path, [atoms], spare=spare_of(path))
    return labeled


def read_label(path: Path) -> Atoms:
    """Read a label, from its second file if the first one is damaged.

    Parameters
    ----------
    path
        The first file.

    Raises
    ------
    DamagedFileError
        If both files are damaged.
    """
    try:
        return read_structures(path)[0]
    except DamagedFileError as error:
        with contextlib.suppress(DamagedFileError):
            return read_structures(spare_of(path))[0]
        raise error


def find_label(path: Path) -> Atoms | None:
    """Read a label if one of its two files is whole; the other one is written again if it is damaged or missing.

    Parameters
    ----------
    path
        The first file.

    Returns
    -------
    Atoms or None
        None if there is no label, or both files are damaged.
    """
    spare = spare_of(path)
    if not (path.exists() or spare.exists()):
        return None
    first = _read_whole(path)
    if first is not None and _are_equal(path, spare):
        return first
    second = _read_whole(spare)
    if first is None and second is not None:
        write_structures(path, [second])
    elif first is not None and second is None:
        write_structures(spare, [first])
    return second if first is None else first


def set_aside(path: Path) -> None:
    """Rename what is left of the files of a label that are both damaged."""
    for file in (path, spare_of(path)):
        with contextlib.suppress(FileNotFoundError):
            file.replace(file.with_name(file.name + ".damaged"))


def spare_of(path: Path) -> Path:
    """Return the second file of a label."""
    return path.parent / SPARE / path.name


def _read_whole(path: Path) -> Atoms | None:
    with contextlib.suppress(DamagedFileError):
        return read_structures(path)[0]
    return None


def _are_equal(path: Path, spare: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.read_bytes() == spare.read_bytes()
    return False


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
