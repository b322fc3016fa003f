"""Labels of a campaign that failed before its first potential was used, for the campaign that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import AcemakerError, CampaignError, DamagedFileError
from acemaker.loop.compatibility import are_equal
from acemaker.loop.journaled_state import recorded_config
from acemaker.loop.label_files import read_label
from acemaker.loop.label_store import LabelStore
from acemaker.loop.labels import label_key
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store, contained
from acemaker.structures.files import read_structures
from acemaker.structures.mask import MASK, with_mask_of
from acemaker.structures.per_atom import PER_ATOM

SAME = 1e-7
"""Å; largest difference of two equal structures, of which one was read from a file."""


def source_of(events: Sequence[Mapping[str, Any]]) -> str:
    """Return the recorded source of a campaign's labels; empty if it is not known, or files have changed since then."""
    changed = any("oracle_files" in event for event in events[1:])
    return "" if changed else str(events[0].get("oracle_source", ""))


def keep_labels(store: Store, events: Sequence[Mapping[str, Any]]) -> int:
    """Copy the labels of a campaign that is about to be deleted to the folder of earlier labels.

    Parameters
    ----------
    store
        The campaign's files.
    events
        The events of its journal.

    Returns
    -------
    int
        Number of labels; damaged ones are not counted.

    Raises
    ------
    CampaignError
        If a label cannot be copied.
    """
    kept = 0
    labels = LabelStore(store.earlier, source_of(events))
    config = recorded_config(events)
    progress = Progress().apply_all(events)
    files = [entry.file for entry in progress.labels if not entry.own]
    files += [event["file"] for event in progress.isolated.values() if not event.get("own")]
    for file in files:
        try:
            labeled = read_label(contained(store.directory, file))
        except (DamagedFileError, FileNotFoundError):  # missing if an earlier replacement was interrupted
            continue
        key = label_key(labeled, config.oracle)
        labels.keep(key, labeled)
        if labels.find(key, lambda atoms: label_key(atoms, config.oracle)) is None:
            raise CampaignError(
                f"the labels of the earlier campaign in {store.directory} cannot be copied to {store.earlier.name}; "
                "check disk space and permissions, then retry: nothing was deleted"
            )
        kept += 1
    return kept


def set_queue_aside(store: Store) -> None:
    """Rename the folder of jobs, whose results belong to another oracle with the same settings.

    Parameters
    ----------
    store
        The campaign's files.
    """
    number = 1
    while (target := store.queue.with_name(f"{store.queue.name}_replaced_{number}")).exists():
        number += 1
    store.queue.rename(target)


def with_labeled_structures(
    store: Store,
    events: Sequence[Mapping[str, Any]],
    config: CampaignConfig,
    source: str,
    initial: Sequence[Atoms],
    first: Sequence[Atoms],
    n_first: int,
) -> tuple[tuple[Atoms, ...], int]:
    """Replace structures of a new first generation by structures that an earlier campaign has labeled.

    This applies if both campaigns draw their first structures from the same distribution and label them in the same
    way, for instance if only their number differs. An earlier structure replaces that with the most similar volume.

    Parameters
    ----------
    store, events
        Files and journal of the earlier campaign, with its labels in the folder of earlier labels.
    config, source
        The new configuration, and the `oracle_source` of its labels.
    initial
        The structures with which the walkers start.
    first
        Structures of the new first generation, and those in reserve.
    n_first
        Number of structures of the first generation.

    Returns
    -------
    tuple of Atoms
        The structures to use instead of `first`.
    int
        How many of the first `n_first` are labeled already.
    """
    old, labels = recorded_config(events), LabelStore(store.earlier, source)
    try:
        candidates = read_structures(store.candidates(None))
        starts = read_structures(store.initial)
    except (AcemakerError, OSError):  # an earlier replacement was interrupted
        return tuple(first), 0
    key_of = _key_of(config.oracle)
    labeled = [atoms for atoms in candidates if labels.find(key_of(atoms), key_of) is not None]
    structures, free = list(first), list(range(n_first))
    for index in list(free):  # drawn again exactly
        match = next((k for k, atoms in enumerate(labeled) if _is_drawn_again(atoms, structures[index])), None)
        if match is not None:
            structures[index] = with_mask_of(structures[index], labeled.pop(match))
            free.remove(index)
    distribution = ("first_rattle", "first_strain")
    has_cold_start = bool(old.system.cold_start or config.system.cold_start)  # its labels are found if it is repeated
    if (
        not has_cold_start
        and all(getattr(old.system, name) == getattr(config.system, name) for name in distribution)
        and (len(starts) and are_equal(starts[0], initial[0]))
    ):
        for atoms in labeled:
            suited = [index for index in free if _is_alike(atoms, structures[index])]
            if not suited:
                continue
            index = min(suited, key=lambda i: abs(_volume(structures[i]) - _volume(atoms)))
            structures[index] = with_mask_of(structures[index], atoms)
            free.remove(index)
    return tuple(structures), n_first - len(free)


def _key_of(oracle: OracleConfig) -> Callable[[Atoms], str]:
    return lambda atoms: label_key(atoms, oracle)


def _may_replace(labeled: Atoms, planned: Atoms) -> bool:
    """Return whether two structures differ only in their displacements and strain."""
    arrays = [(labeled.arrays.get(name), planned.arrays.get(name)) for name in (MASK, *PER_ATOM)]
    return (
        np.array_equal(labeled.numbers, planned.numbers)
        and np.array_equal(labeled.pbc, planned.pbc)
        and all((old is None) == (new is None) for old, new in arrays)
        and all(np.allclose(old, new) for old, new in arrays if old is not None and new is not None)
    )


def _is_alike(labeled: Atoms, planned: Atoms) -> bool:
    """Return whether two structures are both distorted, and differ only in that."""
    return labeled.info.get("origin") == planned.info.get("origin") and _may_replace(labeled, planned)


def _is_drawn_again(labeled: Atoms, planned: Atoms) -> bool:
    """Return whether a structure is that of an earlier label, except for the rounding of files."""
    return (
        _may_replace(labeled, planned)
        and np.allclose(labeled.cell.array, planned.cell.array, rtol=0, atol=SAME)
        and np.allclose(labeled.positions, planned.positions, rtol=0, atol=SAME)
    )


def _volume(atoms: Atoms) -> float:
    return float(atoms.get_volume()) if atoms.pbc.all() else 0.0
