"""The work of LABEL: a selection, the place that labels it, and the ledger in which labels are kept."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from acemaker import steps
from acemaker.errors import CampaignError, OracleError
from acemaker.labeling.backend import Place
from acemaker.labeling.factory import GivenExecutor, make_place
from acemaker.labeling.finished_labels import Outbox
from acemaker.labeling.job import Job
from acemaker.labeling.queue import Queue
from acemaker.loop.journaled_state import Chronicle
from acemaker.loop.label_index import LabelIndex
from acemaker.loop.label_store import LabelStore
from acemaker.loop.ledger import Ledger
from acemaker.loop.store import Store
from acemaker.oracles.fingerprint import fingerprint
from acemaker.oracles.oracle import Oracle
from acemaker.results import Labels, Selection, Submission
from acemaker.steps.label import Taken


class LabelWork:
    """Has selections labelled.

    Parameters
    ----------
    chronicle
        Where the campaign stands.
    store
        Its files.
    elements
        Of the system.
    oracle
        The user's own, or None.
    executor
        The user's own, or None.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        store: Store,
        elements: tuple[str, ...],
        oracle: Oracle | None,
        executor: GivenExecutor | None,
    ) -> None:
        self._chronicle, self._store, self._elements = chronicle, store, elements
        self.own_oracle, self._executor = oracle, executor
        self._outbox, self._index = Outbox(store.queue), LabelIndex()
        self._place: Place | None = None
        self._current: tuple[Selection, steps.Labelling, Queue] | None = None
        self.on_label: Callable[[Taken], None] | None = None
        self.on_wait: Callable[[], None] = lambda: None

    def label(self, selection: Selection) -> Labels:
        """Wait for all labels of a selection."""
        with self._labelling(selection) as (labelling, queue):
            if queue.place.notice:
                labelling.submit()
                warnings.warn(queue.place.notice, stacklevel=2)
            return labelling.label()

    def submit(self, selection: Selection) -> Submission:
        """Hand out what is missing."""
        with self._labelling(selection) as (labelling, queue):
            labelling.submit()
            self._rest(queue)  # which may take until all is handed in, and numbered
            return labelling.submission()

    def collect(self, selection: Selection) -> Labels | Submission:
        """Take in what is there; labels if that is all."""
        with self._labelling(selection) as (labelling, _):
            labelling.collect()
            return labelling.submission() if labelling.missing else labelling.labels()

    def close(self) -> None:
        """End what would hold this process up; what can goes on."""
        place, self._place, self._current = self._place, None, None
        if place is not None:
            place.leave()

    @contextmanager
    def _labelling(self, selection: Selection) -> Iterator[tuple[steps.Labelling, Queue]]:
        labelling, queue = self._go_on_with(selection)
        try:
            yield labelling, queue
        except CampaignError as error:  # what is being made has to be paid for, too
            self._current = None
            message = str(error)
            if queue.jobs and not queue.place.outlives:
                warnings.warn(f"{message}; labels that are being made are waited for, and kept likewise", stacklevel=2)
                message += f"; {labelling.save_running()} more that were being made are kept likewise"
            queue.place.leave()
            raise CampaignError(message) from error
        except BaseException as error:
            self._current = None
            with contextlib.suppress(Exception):  # the first error is the one to tell
                labelling.keep_finished()
            if isinstance(error, OracleError):
                queue.place.end()
            else:
                queue.place.leave()
            raise
        if not labelling.missing:
            self._current = None
        self._rest(queue)

    @staticmethod
    def _rest(queue: Queue) -> None:
        if queue.place.rest():
            queue.drop()

    def _go_on_with(self, selection: Selection) -> tuple[steps.Labelling, Queue]:
        """Return the labelling that is on its way already, or begin it."""
        progress, config = self._chronicle.progress, self._chronicle.config
        if self._current is not None:
            if _order(self._current[0]) == _order(selection):
                return self._current[1:]
            self._current[2].place.end()  # somebody has chosen others since
        if self._place is None:
            self._place = make_place(
                config.labelling,
                config.oracle,
                self._elements,
                folder=self._store.queue,
                keep=self._store.failures,
                own=self.own_oracle,
                given=self._executor,
            )
        if self._place.apart:
            self._outbox.make()
        ledger = Ledger(self._chronicle, self._store, selection, self._shared(), self._index)
        queue = Queue(self._place)

        def job(candidate: int) -> Job:
            return Job(
                key=ledger.key(candidate),
                candidate=candidate,
                atoms=selection.candidates.structures[candidate],
                outbox=str(self._store.queue),
                label=str(self._store.label(progress.halt, candidate)),
            )

        labelling = steps.Labelling(
            selection,
            queue,
            job,
            self._outbox,
            max_retries=config.otf.max_retries,
            max_force=config.oracle.max_force,
            needed=1 if selection.candidates.halt_number else len(selection.selected),
            recall=ledger.recall,
            record=ledger.record,
            record_failure=ledger.record_failure,
            failed=ledger.failures(),
            on_label=self._tell,
            on_wait=self.on_wait,
        )
        self._current = selection, labelling, queue
        return labelling, queue

    def _tell(self, taken: Taken) -> None:
        if self.on_label is not None:
            self.on_label(taken)

    def _shared(self) -> LabelStore | None:
        folder = self._chronicle.config.oracle.label_store
        # the settings of an oracle of the user's own are not known, so neither is what its labels are worth elsewhere
        if not folder or self.own_oracle is not None:
            return None
        found = fingerprint(self._chronicle.config.oracle, self._elements)
        return LabelStore(Path(folder).expanduser(), found)


def _order(selection: Selection) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return selection.candidates.halt_number, selection.selected, selection.reserve
