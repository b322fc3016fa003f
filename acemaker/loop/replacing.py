"""A campaign that failed before its first label, and may be replaced; what to do of any other that is in the way."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from acemaker.errors import CampaignExistsError
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.states import State

BY_PYTHON = "choose another directory, or go on with the one that is there: Campaign.open(directory)"


def is_unpaid(store: Store) -> bool:
    """Tell whether a campaign's directory holds nothing that cost anything: no label, none on its way.

    Parameters
    ----------
    store
        The campaign's files.
    """
    paid = any((store.directory / name).exists() for name in ("labels", "segments", "potentials"))
    on_their_way = [path for path in store.queue.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return not paid and not on_their_way


def may_be_replaced(store: Store, events: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a campaign failed before its first label, so that a mended one may take its place.

    Parameters
    ----------
    store
        The campaign's files.
    events
        Of its journal.
    """
    return is_unpaid(store) and Progress().apply_all(events).state is State.FAILED


def clear(store: Store) -> None:
    """Remove a campaign that may be replaced: the journal first, so that a half-removed one is none.

    Parameters
    ----------
    store
        Its files; the lock stays.
    """
    store.journal.unlink(missing_ok=True)
    for folder in (store.candidates(0).parent, store.queue, store.failures):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        store.initial.unlink(missing_ok=True)


def refuse_another(store: Store, differences: Sequence[str], instead: str = BY_PYTHON) -> None:
    """Say that a directory holds another campaign, if there are differences.

    Parameters
    ----------
    store
        The campaign's files.
    differences
        What is not the same.
    instead
        What to do, in the words of whoever is told.

    Raises
    ------
    CampaignExistsError
        Names them.
    """
    if not differences:
        return
    lines = [f"{store.directory} already holds another campaign; it differs in", *(f"  {one}" for one in differences)]
    if is_unpaid(store):
        lines.append("it has no label yet: nothing is lost if its directory is deleted")
    raise CampaignExistsError("\n".join([*lines, instead]))
