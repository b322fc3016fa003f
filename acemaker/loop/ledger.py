"""Labels as they are paid for: kept one by one, and never asked for twice."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from ase import Atoms

from acemaker.config import OracleConfig
from acemaker.config.campaign import BOUNDS
from acemaker.loop.contents import contained
from acemaker.loop.journaled_state import Chronicle
from acemaker.loop.label_files import find_label, read_label, set_aside, write_label
from acemaker.loop.label_index import LabelIndex
from acemaker.loop.label_store import LabelStore
from acemaker.loop.store import Store
from acemaker.results import LabelFailure, Selection
from acemaker.structures.mask import with_mask_of

SHARED = "from_label_store"
"""In a label's ``info``: it was not paid for here."""

UNSETTLED = {*BOUNDS["oracle"], "label_process", "max_force", "max_net_force", "min_label_distance"}
"""Settings that decide where a label is made, or whether it is believed, but not what it says."""


class Ledger:
    """The labels of one selection, in the journal and on disk.

    Parameters
    ----------
    chronicle
        Where labels and failures are noted.
    store
        Where they lie.
    selection
        What is being labelled.
    shared
        Labels that other campaigns have made or may use, too.
    index
        Of the campaign's labels; a ledger that gets that of the one before need not go through all of them.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        store: Store,
        selection: Selection,
        shared: LabelStore | None = None,
        index: LabelIndex | None = None,
    ) -> None:
        self._index = LabelIndex() if index is None else index
        self._chronicle = chronicle
        self._store = store
        self._shared = shared
        self._halt = selection.candidates.halt_number
        self._structures = selection.candidates.structures
        self._keys = [self._key(atoms) for atoms in self._structures]

    def key(self, candidate: int) -> str:
        """Name the label of a candidate."""
        return self._keys[candidate]

    def recall(self, candidate: int) -> Atoms | None:
        """Return a label that exists: noted, of an equal structure, written just before a crash, or shared."""
        found = find_label(self._store.label(self._halt, candidate))
        if found is not None and self._key(found) == self._keys[candidate]:
            return self._kept(candidate)
        entry = self._noted().of_key(self._keys[candidate])
        if entry is not None:
            # an equal structure may have been labelled for the sake of other atoms
            labelled = read_label(contained(self._store.directory, entry.file))
            return self.record(candidate, with_mask_of(self._structures[candidate], labelled))
        shared = self._shared.find(self._keys[candidate], self._key) if self._shared is not None else None
        if shared is None:
            set_aside(self._store.label(self._halt, candidate))
            return None
        labelled = with_mask_of(self._structures[candidate], shared).copy()
        labelled.calc = shared.calc
        labelled.info[SHARED] = True
        write_label(self._store.label(self._halt, candidate), labelled)
        return self._kept(candidate)

    def record(self, candidate: int, atoms: Atoms) -> Atoms:
        """Keep a label, and return it as it is kept."""
        write_label(self._store.label(self._halt, candidate), atoms)
        return self._kept(candidate)

    def record_failure(self, failure: LabelFailure) -> None:
        """Note a structure that could not be labelled."""
        self._chronicle.append(
            "label_failed",
            halt=self._halt,
            candidate=failure.candidate,
            attempts=failure.attempts,
            cause=failure.cause,
        )

    def failures(self) -> dict[int, LabelFailure]:
        """Return the failures noted for this selection, by candidate."""
        return {
            candidate: LabelFailure(candidate=candidate, attempts=event["attempts"], cause=event["cause"])
            for candidate, event in self._chronicle.progress.failures.items()
        }

    def _noted(self) -> LabelIndex:
        self._index.read(self._chronicle.progress.labels)
        return self._index

    def _key(self, atoms: Atoms) -> str:
        return label_key(atoms, self._chronicle.config.oracle)

    def _kept(self, candidate: int) -> Atoms:
        """Note a label whose file has been written, and share it."""
        file = self._store.label(self._halt, candidate)
        name, key, labelled = str(self._store.relative(file)), self._keys[candidate], read_label(file)
        shared = bool(labelled.info.get(SHARED, False))
        if not self._noted().has_file(name):
            event = {"halt": self._halt, "candidate": candidate, "file": name, "key": key}
            self._chronicle.append("label", **event, **({"shared": True} if shared else {}))
        if self._shared is not None and not shared:
            self._shared.keep(key, labelled)
        return labelled


def label_key(atoms: Atoms, oracle: OracleConfig) -> str:
    """Name a label by its structure and the oracle's settings."""
    settings = json.dumps(oracle.model_dump(mode="json", exclude=UNSETTLED), sort_keys=True)
    digest = hashlib.sha256(settings.encode())
    for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:20]
