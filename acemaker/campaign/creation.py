"""Making a campaign: everything is checked before anything is written."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.campaign.chronicle import config_of
from acemaker.campaign.journal import Journal
from acemaker.campaign.pretraining import check_pretraining
from acemaker.campaign.replacing import clear
from acemaker.campaign.starts import starts_of
from acemaker.campaign.store import Store
from acemaker.config import CampaignConfig
from acemaker.config.campaign import BOUNDS
from acemaker.engines.ensemble import check_ensemble
from acemaker.engines.installed import launcher_command, native_command
from acemaker.engines.lammps_library import load_lammps
from acemaker.engines.plain_path import check_path
from acemaker.engines.protocol import Engine
from acemaker.errors import CampaignExistsError, ConfigError, EngineError
from acemaker.labelling.making import GivenExecutor, make_place
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.trial import try_oracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.environment import check_structure
from acemaker.potentials.trainer import Trainer
from acemaker.potentials.trainers import make_trainer
from acemaker.structures.candidates import check_strategies
from acemaker.structures.embedding import affordable
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.first import first_structures, first_weight

UNIVERSAL = ("chgnet", "sevenn", "torch")
"""Packages that need not be there."""

HERE = ("threads", "processes")
"""Executors whose labels are made with the programs of this machine."""


def check_start(
    store: Store,
    config: CampaignConfig,
    structure: Atoms | None,
    engine: Engine | None,
    oracle: Oracle | None,
    executor: GivenExecutor | None = None,
) -> tuple[Atoms, ...]:
    """Make sure that a campaign can start in a directory.

    Parameters
    ----------
    store
        The campaign's files.
    config
        Everything that defines it.
    structure, engine, oracle, executor
        The user's own, or None.

    Returns
    -------
    tuple of Atoms
        The structure with which each walker starts.

    Raises
    ------
    CampaignExistsError
        If files of another campaign lie there.
    ConfigError, StructureError, MissingLibraryError, OracleError
        If the parts do not fit together, or one is missing.
    """
    check_path(store.directory)
    left = [name for name in ("labels", "segments", "potentials") if (store.directory / name).exists()]
    if left:
        raise CampaignExistsError(
            f"{store.directory} has no journal, but {', '.join(left)} of another campaign; move these away or "
            "choose another directory"
        )
    return check_parts(store, config, structure, engine, oracle, executor)


def check_parts(
    store: Store,
    config: CampaignConfig,
    structure: Atoms | None,
    engine: Engine | None,
    oracle: Oracle | None,
    executor: GivenExecutor | None = None,
) -> tuple[Atoms, ...]:
    """Make sure that the parts of a campaign are there and fit together, whatever its directory holds.

    Parameters
    ----------
    store
        The campaign's files; nothing is written.
    config
        Everything that defines it.
    structure, engine, oracle, executor
        The user's own, or None.

    Returns
    -------
    tuple of Atoms
        The structure with which each walker starts.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        If the parts do not fit together, or one is missing.
    """
    starts = starts_of(config, structure)
    elements = tuple(sorted(set(starts[0].get_chemical_symbols())))
    for number, one in enumerate(starts, start=1):
        if engine is None:
            check_ensemble(config.walker(number).engine, one)
        if number == 1 or one != starts[0]:
            check_structure(one, elements)
            check_strategies(config.otf, one)
            affordable(one, config.oracle.max_atoms, config.embedding)
    start = starts[0]
    cell = affordable(start, config.oracle.max_atoms, config.embedding)
    if engine is None:
        launcher_command(config.engine.launcher)
    if engine is None and (config.engine.engine == "inprocess" or not native_command(config.engine.lammps)):
        load_lammps()
    check_baseline(config, start, elements, engine)
    make_place(config.labelling, config.oracle, elements, folder=store.queue, own=oracle, given=executor)
    if oracle is None and executor is None and config.labelling.executor in HERE:
        try_oracle(config.oracle, cell)
    return starts


def check_baseline(config: CampaignConfig, start: Atoms, elements: tuple[str, ...], engine: Engine | None) -> None:
    """Make sure that the baseline can be evaluated, and that the engine can run it.

    Raises
    ------
    ConfigError, MissingLibraryError
        If not.
    """
    baseline = find_baseline(config.potential, elements)
    if baseline is None:
        return
    fields = "baseline_style, baseline_coeff" if baseline.in_lammps else "baseline_calculator"
    try:
        isolated = engine is None and config.engine.engine == "isolated"
        if isolated and config.potential.baseline_calculator.startswith("__main__:"):
            raise ConfigError(
                f"PotentialConfig.baseline_calculator: {config.potential.baseline_calculator!r} cannot be imported by "
                "a child process; put the factory into a module, or choose engine='inprocess'"
            )
        if isolated and native_command(config.engine.lammps):
            baseline.commands("pace/extrapolation")  # which it refuses where LAMMPS cannot run it
        load_lammps()
        baseline.evaluate(start)
    except EngineError as error:
        raise ConfigError(f"PotentialConfig.{fields}: {error}") from error


def create_files(
    store: Store,
    config: CampaignConfig,
    starts: Sequence[Atoms],
    trainer_factory: Callable[[], Trainer] | None,
    replaced: Sequence[str] = (),
) -> Journal:
    """Write initial structure, first structures and journal.

    Parameters
    ----------
    store
        The campaign's files.
    config
        Everything that defines it.
    starts
        The structure with which each walker starts.
    trainer_factory
        The user's own, or None.
    replaced
        In what it differs from the campaign that lies there, whose place it takes.

    Returns
    -------
    Journal
        With its first event.

    Raises
    ------
    ConfigError, StructureError
        Before anything is written, if the basis does not suit the structure.
    """
    start = starts[0]
    elements = tuple(sorted(set(start.get_chemical_symbols())))
    start_cell = affordable(start, config.oracle.max_atoms, config.embedding)
    trainer = trainer_factory() if trainer_factory else make_trainer(config.potential, config.pacemaker, elements)
    check_pretraining(config, start, trainer)
    n_first = max(config.system.n_first, trainer.minimum_structures(start_cell))
    if config.otf.max_labels is not None and config.otf.max_labels < n_first:
        raise ConfigError(
            f"OTFConfig.max_labels: generation 0 alone takes {n_first} labels, got {config.otf.max_labels}; raise it, "
            "or lower n_first or n_functions"
        )
    # as many again in reserve, for those that cannot be labelled
    rng = np.random.default_rng([config.seed, 2])
    weight = first_weight(config.system, config.potential, start, start_cell)
    first = first_structures(start_cell, config.system, n_first, rng, n_first, weight)
    if replaced:
        clear(store)
    write_structures(store.candidates(0), first)
    write_structures(store.initial, list(starts))
    journal = Journal(store.journal)
    noted: dict[str, Any] = {"replaced": list(replaced)} if replaced else {}
    if len(starts) > 1:
        noted["walkers"] = len(starts)
    written = config.model_dump(mode="json")
    journal.append("created", config=written, n_first=n_first, versions=installed_versions(), **noted)
    return journal


def differences_to(
    store: Store, events: Sequence[dict[str, Any]], config: CampaignConfig, structure: Atoms | None
) -> list[str]:
    """List in what a campaign differs from the one that is there, the bounds of the loop excepted.

    Parameters
    ----------
    store, events
        Files and journal of the one that is there.
    config
        Of the one that is meant.
    structure
        With which that one starts, if not with its configuration's.

    Returns
    -------
    list of str
    """
    differences = config_of(events[:1]).differences(config)
    if structure is not None:
        there = read_structures(store.initial)
        meant = starts_of(config, structure) if not differences else (structure,) * len(there)
        if not all(map(_alike, there, meant)):
            differences.append("structure: another one")
    return differences


def with_bounds(config: CampaignConfig, bounds: Mapping[str, Any]) -> CampaignConfig:
    """Change what may be changed of an existing campaign.

    Raises
    ------
    ConfigError
        For a name that is not among `BOUNDS`, or a value out of range.
    """
    allowed = [name for names in BOUNDS.values() for name in names]
    unknown = sorted(set(bounds) - set(allowed))
    if unknown:
        raise ConfigError(
            f"Campaign.open can change {', '.join(allowed[:-1])} and {allowed[-1]} only, not {', '.join(unknown)}; "
            "for anything else start another campaign"
        )
    changed = {}
    for section, names in BOUNDS.items():
        old = getattr(config, section)
        new = {name: value for name, value in bounds.items() if name in names}
        changed[section] = type(old)(**{**old.model_dump(), **new})
    return config.model_copy(update=changed)


def _alike(one: Atoms, two: Atoms) -> bool:
    """Tell whether two structures are the same to the digits of a file."""
    return (
        one.get_chemical_symbols() == two.get_chemical_symbols()
        and np.array_equal(one.pbc, two.pbc)
        and np.allclose(one.cell.array, two.cell.array, atol=1e-6)
        and np.allclose(one.positions, two.positions, atol=1e-6)
        and np.allclose(one.get_momenta(), two.get_momenta(), atol=1e-6)
    )


def installed_versions() -> dict[str, str]:
    """Name the versions of what a campaign's numbers depend on."""
    found = {}
    for name in ("acemaker", "ase", "lammps", "numpy", "python-ace", "scipy", *UNIVERSAL):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name not in UNIVERSAL:
                found[name] = "unknown"
    return found
