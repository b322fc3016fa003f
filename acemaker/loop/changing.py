"""Changes of the configuration of a campaign half way, when it is opened."""

from __future__ import annotations

import logging
from typing import Any

from acemaker.config import CampaignConfig
from acemaker.config.campaign import CUTTING, HALFWAY
from acemaker.engines.protocol import Engine
from acemaker.errors import ConfigError, StateError
from acemaker.formatting.summary import counted
from acemaker.labeling.factory import GivenExecutor, make_backend
from acemaker.loop.checks import check_labels, check_moments, check_periodicity
from acemaker.loop.compatibility import changes_between
from acemaker.loop.cuts import cut_segments
from acemaker.loop.labels import UNSETTLED, settings_digest
from acemaker.loop.oracle_files import check_oracle_files, recorded_files
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.total_charge import check_total_charge
from acemaker.states import State
from acemaker.structures.candidates import check_strategies
from acemaker.structures.embedding import fit_to_oracle
from acemaker.structures.files import read_structures

logger = logging.getLogger("acemaker")


def check_changes(
    store: Store,
    progress: Progress,
    old: CampaignConfig,
    new: CampaignConfig,
    *,
    engine: Engine | None,
    oracle: Oracle | None,
    executor: GivenExecutor | None,
) -> None:
    """Check a changed configuration as at the creation of a campaign, before anything is written.

    Parameters
    ----------
    store, progress
        Files and state of the campaign.
    old, new
        The configuration in force, and the one with the changes.
    engine, oracle, executor
        The user's objects, or None.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        If the parts are not compatible, or one is missing.
    StateError
        If the oracle's settings change while labels with the earlier ones are being computed.
    """
    starts = read_structures(store.initial)
    if new.otf != old.otf:
        for atoms in starts:
            check_strategies(new.otf, atoms)
    changed = [name for name in HALFWAY["oracle"] if getattr(old.oracle, name) != getattr(new.oracle, name)]
    if not changed:
        return
    if settled := [name for name in changed if name not in UNSETTLED]:
        if oracle is not None:
            raise ConfigError(
                f"Campaign.open: {', '.join(settled)} would have no effect, since an oracle object of your own labels; "
                "change its settings and pass it as oracle=..."
            )
        queued = [path for path in store.queue.rglob("*") if path.is_file() and path.suffix != ".lock"]
        if progress.state is State.LABEL and queued:
            raise StateError(
                f"Campaign.open: {', '.join(settled)} cannot change while labels with the earlier settings are "
                f"pending; open the campaign without changes, collect them with campaign.label(), then change them"
            )
    elements = tuple(sorted(set(starts[0].get_chemical_symbols())))
    for atoms in starts:
        if oracle is None:
            check_periodicity(new.oracle, atoms)
            check_moments(new.oracle, atoms, elements)
            check_total_charge(new.oracle, atoms)
        fit_to_oracle(atoms, new.oracle.max_atoms, new.embedding)
    make_backend(new.labeling, new.oracle, elements, folder=store.queue, own=oracle, given=executor)
    if settled:
        check_labels(new, starts, engine, oracle, executor)


def change_fields(
    store: Store,
    progress: Progress,
    old: CampaignConfig,
    new: CampaignConfig,
    *,
    accept_oracle_files: bool = False,
) -> dict[str, Any]:
    """Return the further fields of the event ``reopened`` of a changed configuration.

    Parameters
    ----------
    store, progress
        Files and state of the campaign. Segments that were interrupted are truncated to the checkpoint at which they
        end, if they depend on what changes.
    old, new
        The configuration in force, and the one with the changes.
    accept_oracle_files
        Whether files of the oracle may have other contents than before under the same names.

    Raises
    ------
    CampaignError
        If the contents of a file of the oracle have changed, although its name has not.
    """
    fields: dict[str, Any] = {}
    if set(changes_between(old, new)) & set(CUTTING) and (cuts := cut_segments(progress, store, old.otf, new.otf)):
        fields["cuts"] = cuts
    if settings_digest(old.oracle) == settings_digest(new.oracle):
        return fields
    elements = tuple(sorted(set(read_structures(store.initial)[0].get_chemical_symbols())))
    files = recorded_files(new.oracle, elements)
    same = {name: digest for name, digest in progress.oracle_files.items() if name in files}
    if not accept_oracle_files:
        check_oracle_files(store.directory, same, new.oracle, elements)
    fields["oracle_files"] = files
    if n_labels := len(progress.labels):
        logger.warning(
            f"the settings of the oracle change, and {counted(n_labels, 'label')} were computed with earlier ones: "
            "labels of two settings do not belong together in one fit. campaign.relabel() has those computed again; "
            "campaign.outdated_labels() lists them"
        )
    return fields
