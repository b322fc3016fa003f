"""Whether a configuration is compatible with the campaign in a directory: differences, changed fields, more steps."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig, EngineConfig
from acemaker.config.campaign import CHANGEABLE, HALFWAY
from acemaker.errors import CampaignExistsError, ConfigError
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.loop.journaled_state import recorded_config
from acemaker.loop.labels import settings_digest
from acemaker.loop.progress import Progress
from acemaker.loop.store import Store
from acemaker.states import State
from acemaker.structures.files import read_structures
from acemaker.structures.per_atom import frozen_atoms
from acemaker.structures.supported import check_supported

CONTENTS = ("labels", "segments", "potentials")
"""Folders with the results of a campaign."""

HOW_TO_CONTINUE = "choose another directory, or continue the existing campaign: Campaign.open(directory)"


def differences_to(
    store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig, structure: Atoms | None
) -> list[str]:
    """List the differences between a configuration and the campaign in a directory, except in changeable fields.

    Parameters
    ----------
    store, events
        Files and journal of the campaign in the directory.
    config
        The configuration to compare with it.
    structure
        The structure to start with, if it is not that of the configuration.

    Returns
    -------
    list of str

    Raises
    ------
    StructureError
        If the structure has properties that are not supported.
    """
    differences = created_config(events).differences(config)  # which may be refused today
    if structure is not None:
        check_supported(structure, "the structure")
        stored = read_structures(store.initial)
        new = initial_structures_of(config, structure) if not differences else (structure,) * len(stored)
        if not all(map(are_equal, stored, new)):
            differences.append("structure: another one")
    return differences


def created_config(events: Sequence[Mapping[str, Any]]) -> CampaignConfig:
    """Return the configuration at the creation of a campaign, with the fields that `Campaign.open` has changed since.

    Parameters
    ----------
    events
        The events of its journal.
    """
    created, current = recorded_config(events[:1]), recorded_config(events)
    sections = {}
    for section, names in HALFWAY.items():
        values = {name: getattr(getattr(current, section), name) for name in names}
        sections[section] = getattr(created, section).model_copy(update=values)
    return created.model_copy(update=sections)


def with_changes(config: CampaignConfig, changes: Mapping[str, Any]) -> CampaignConfig:
    """Return a configuration with other values of the fields that may change.

    Raises
    ------
    ConfigError
        For a name that is neither in `CHANGEABLE` nor in `HALFWAY`, or a value out of range.
    """
    fields = {
        section: (*CHANGEABLE.get(section, ()), *HALFWAY.get(section, ())) for section in {**CHANGEABLE, **HALFWAY}
    }
    allowed = [name for names in fields.values() for name in names]
    if unknown := sorted(set(changes) - set(allowed)):
        raise ConfigError(
            f"Campaign.open can change {', '.join(allowed[:-1])} and {allowed[-1]} only, not {', '.join(unknown)}; "
            "to change anything else, create another campaign"
        )
    changed = {}
    for section, names in fields.items():
        old = getattr(config, section)
        new = {name: value for name, value in changes.items() if name in names}
        changed[section] = type(old)(**{**old.model_dump(), **new})
    return type(config)(**{**dict(config), **changed})  # checks that the sections are consistent


def reopened_fields(store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig) -> dict[str, Any]:
    """Return the fields of the journal's event ``reopened``.

    Parameters
    ----------
    store, events, config
        As for `requests_more_steps`, whose error is raised.

    Returns
    -------
    dict
    """
    more = {"more_steps": True} if requests_more_steps(store, events, config) else {}
    old = recorded_config(events)
    changes = changes_between(old, config)
    settings = [settings_digest(old.oracle), settings_digest(config.oracle)]
    return {
        "config": config.model_dump(mode="json"),
        **more,
        **({"changes": changes} if changes else {}),
        **({"oracle_settings": settings} if settings[0] != settings[1] else {}),
    }


def changes_between(old: CampaignConfig, new: CampaignConfig) -> dict[str, list[Any]]:
    """Return the earlier and the new value of each field that differs, as in the journal.

    Parameters
    ----------
    old, new
        Two configurations.
    """
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return {
        name: [before[section][name], value]
        for section in before
        if isinstance(before[section], dict)
        for name, value in after[section].items()
        if before[section].get(name) != value
    }


def requests_more_steps(store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig) -> bool:
    """Return whether a configuration requests more steps than the campaign so far.

    Parameters
    ----------
    store
        The campaign's files.
    events
        The events of its journal.
    config
        The configuration with which it continues.

    Returns
    -------
    bool
        Also False before the first generation: any number of steps may then be requested.

    Raises
    ------
    ConfigError
        If it requests fewer steps, or if the steps so far would have been different, since a ramp spans all steps.
    """
    before, after = recorded_config(events).engine.steps, config.engine.steps
    if after == before or Progress().apply_all(events).generation is None:
        return False
    if after < before:
        raise ConfigError(
            f"EngineConfig.steps: expected at least {before}, the steps of the campaign in {store.directory}, got "
            f"{after}; request as many or more, or choose another directory"
        )
    for number in range(1, config.n_walkers + 1):
        if ramp := _ramp(config.walker(number).engine):
            of_walker = f" of walker {number}" if config.n_walkers > 1 else ""
            raise ConfigError(
                f"EngineConfig.steps: the campaign in {store.directory} has a ramp {ramp} over its {before} steps; "
                f"with {after} steps, the ramp{of_walker} would have been slower from the start. More steps are "
                "possible only if temperature and pressure are constant: create another campaign that starts from a "
                "frame of this one"
            )
    return True


def has_no_labels(store: Store) -> bool:
    """Return whether a campaign's directory contains no label, and no job of one.

    Parameters
    ----------
    store
        The campaign's files.
    """
    has_labels = any((store.directory / name).exists() for name in CONTENTS)
    queued = [path for path in store.queue.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return not has_labels and not queued


def may_be_replaced(store: Store, events: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a campaign failed before its first potential was used, so that another one may replace it.

    Nothing is lost then: the labels of its first structures are used again (`acemaker.loop.earlier_labels`).

    Parameters
    ----------
    store
        The campaign's files.
    events
        The events of its journal.
    """
    progress = Progress().apply_all(events)
    if progress.state is not State.FAILED or progress.segments:
        return False
    segments = store.directory / "segments"
    return not any(segments.rglob("checkpoint.*"))  # nor did the first segment get anywhere


def delete_campaign(store: Store) -> None:
    """Delete a campaign that may be replaced: the journal first, so that no partly deleted campaign can be opened.

    Parameters
    ----------
    store
        The campaign's files; the lock stays.
    """
    store.journal.unlink(missing_ok=True)
    delete_leftovers(store)


def delete_leftovers(store: Store) -> None:
    """Delete what a campaign that may be replaced leaves without its journal; jobs and their results stay.

    Parameters
    ----------
    store
        The campaign's files.
    """
    own = (store.candidates(None).parent, store.failures, store.committee)
    for folder in (*own, *(store.directory / name for name in CONTENTS)):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (store.initial, store.pretraining, store.first_labels):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def refuse_existing(store: Store, differences: Sequence[str], *, replaceable: bool) -> None:
    """Raise the error of `Campaign.create` without ``exist_ok`` in a directory that contains a campaign.

    Parameters
    ----------
    store
        The campaign's files.
    differences
        The differences between the campaign and the new configuration.
    replaceable
        Whether the campaign failed before its first potential was used.

    Raises
    ------
    CampaignExistsError
        Names the call to use.
    """
    if not differences:
        raise CampaignExistsError(
            f"{store.directory} already contains a campaign\ncontinue it with Campaign.open(directory) or "
            "Campaign.create(..., exist_ok=True), or choose another directory"
        )
    lines = [f"{store.directory} already contains a campaign, which differs in"]
    lines += [f"  {difference}" for difference in differences]
    if replaceable:
        reuse = "" if has_no_labels(store) else "; its labels are used again where structure and oracle are the same"
        lines.append(
            f"it failed before its first potential was used: Campaign.create(..., exist_ok=True) replaces it{reuse}"
        )
    else:
        lines.append(HOW_TO_CONTINUE)
    raise CampaignExistsError("\n".join(lines))


def refuse_another(store: Store, differences: Sequence[str], remedy: str = HOW_TO_CONTINUE) -> None:
    """Raise an error if the campaign in a directory differs from the new configuration.

    Parameters
    ----------
    store
        The campaign's files.
    differences
        The differences; nothing is raised if there are none.
    remedy
        What to do, for the error message.

    Raises
    ------
    CampaignExistsError
        Lists the differences.
    """
    if not differences:
        return
    lines = [f"{store.directory} already contains another campaign, which differs in"]
    lines += [f"  {difference}" for difference in differences]
    if has_no_labels(store):
        lines.append("it has no labels yet, so that its directory can be deleted without loss")
    lines.append(remedy)
    if remedy == HOW_TO_CONTINUE and (names := changeable_names(differences)):
        lines.append(
            f"to change this from now on: Campaign.open(directory, {', '.join(f'{name}=...' for name in names)})"
        )
    raise CampaignExistsError("\n".join(lines))


def changeable_names(differences: Sequence[str]) -> list[str]:
    """Return the names of the fields that differ if `Campaign.open` can change all of them half way; else none.

    Parameters
    ----------
    differences
        As from `differences_to`.
    """
    names = [difference.partition(":")[0].rpartition(".")[2] for difference in differences]
    return names if set(names) <= {name for fields in HALFWAY.values() for name in fields} else []


def _ramp(engine: EngineConfig) -> str:
    """Describe what changes from the first step to the last; empty if everything is constant."""
    cold, hot = engine.temperature
    if cold != hot:
        return f"from {cold:g} to {hot:g} K"
    ramps = (f"from {low:g} to {high:g} GPa" for low, high in engine.pressure_ramps.values() if low != high)
    return next(ramps, "")


def are_equal(first: Atoms, second: Atoms) -> bool:
    """Return whether two structures are equal within the precision of a file."""
    return (
        first.get_chemical_symbols() == second.get_chemical_symbols()
        and np.array_equal(first.pbc, second.pbc)
        and np.allclose(first.cell.array, second.cell.array, atol=1e-6)
        and np.allclose(first.positions, second.positions, atol=1e-6)
        and np.allclose(first.get_momenta(), second.get_momenta(), atol=1e-6)
        and np.allclose(first.get_masses(), second.get_masses(), atol=1e-6)
        and np.allclose(first.get_initial_magnetic_moments(), second.get_initial_magnetic_moments(), atol=1e-6)
        and np.array_equal(frozen_atoms(first), frozen_atoms(second))
    )
