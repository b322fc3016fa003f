"""Checks that the parts of a campaign exist and are compatible, before it is created."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import reference_states

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.engines.protocol import Engine
from acemaker.errors import CampaignExistsError, ConfigError, EngineError, StructureError
from acemaker.labeling.factory import GivenExecutor, make_backend
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.executable import launcher_command, native_command
from acemaker.lammps.library import load_lammps
from acemaker.lammps.paths import check_path
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.loop.store import Store
from acemaker.oracles.espresso import check_species
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.smoke_test import try_oracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.environment import check_structure
from acemaker.structures.candidates import check_strategies
from acemaker.structures.embedding import fit_to_oracle

LOCAL_EXECUTORS = ("threads", "processes")
"""Executors that compute labels with the programs of this machine."""

MAGNETIZATION = "starting_magnetization"
"""Variable of pw.x's input."""


def check_start(store: Store) -> None:
    """Check that a campaign can be created in a directory.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignExistsError
        If the directory contains files of another campaign.
    ConfigError
        If one of the programs cannot handle the path.
    """
    check_path(store.directory)
    folders = [name for name in ("labels", "segments", "potentials") if (store.directory / name).exists()]
    if folders and not store.journal.exists():  # another process may have created the campaign in the meantime
        raise CampaignExistsError(
            f"{store.directory} has no journal, but contains {', '.join(folders)} of another campaign; move these away "
            "or choose another directory"
        )


def check_settings(
    store: Store,
    config: CampaignConfig,
    structure: Atoms | None,
    engine: Engine | None,
    oracle: Oracle | None,
    executor: GivenExecutor | None = None,
) -> tuple[Atoms, ...]:
    """Check that the parts of a campaign exist and are compatible, independent of the contents of its directory.

    Parameters
    ----------
    store
        The campaign's files; nothing is written.
    config
        The configuration.
    structure, engine, oracle, executor
        The user's objects, or None.

    Returns
    -------
    tuple of Atoms
        The structure with which each walker starts.

    Raises
    ------
    ConfigError, StructureError, MissingLibraryError, OracleError
        If the parts are not compatible, or one is missing.
    """
    structures = initial_structures_of(config, structure)
    first = structures[0]
    elements = tuple(sorted(set(first.get_chemical_symbols())))
    for number, atoms in enumerate(structures, start=1):
        if engine is None:
            check_ensemble(config.walker(number).engine, atoms)
        if oracle is None:
            check_moments(config.oracle, atoms, elements)
        if number == 1 or atoms != first:
            check_structure(atoms, elements)
            check_strategies(config.otf, atoms)
            fit_to_oracle(atoms, config.oracle.max_atoms, config.embedding)
    cell = fit_to_oracle(first, config.oracle.max_atoms, config.embedding)
    if engine is None:
        launcher_command(config.engine.launcher)
    if engine is None and (config.engine.engine == "inprocess" or not native_command(config.engine.lammps)):
        load_lammps()
    check_baseline(config, first, elements, engine)
    make_backend(config.labeling, config.oracle, elements, folder=store.queue, own=oracle, given=executor)
    if oracle is None and executor is None and config.labeling.executor in LOCAL_EXECUTORS:
        try_oracle(config.oracle, cell)
    return structures


def check_moments(config: OracleConfig, atoms: Atoms, elements: tuple[str, ...]) -> None:
    """Refuse magnetic moments and charges of a structure that would not reach the oracle.

    Parameters
    ----------
    config
        Settings of the oracle.
    atoms
        A walker's structure.
    elements
        Elements of the system.

    Raises
    ------
    ConfigError
        If pw.x's input contains an element number that does not exist.
    StructureError
        If the structure has moments, and pw.x's input does not set one for each of its magnetic elements, or an element
        has several; or if the structure has moments or charges, and the oracle is a calculator that does not receive
        them.
    """
    if config.oracle in ("emt", "lammps") or config.oracle.startswith("acemaker.oracles.universal:"):
        return  # these ignore spin
    if config.oracle == "espresso":
        check_species(config, elements)
    moments = atoms.get_initial_magnetic_moments()
    magnetic = {symbol for symbol, moment in zip(atoms.symbols, moments, strict=True) if np.any(moment)}
    if config.oracle == "espresso":
        values = {indexed(name): value for _, name, value in items(config.espresso_input)}
        in_input = {
            elements[indices[0] - 1] for (name, indices), value in values.items() if name == MAGNETIZATION and value
        }
        per_element = {(symbol, *np.atleast_1d(moment)) for symbol, moment in zip(atoms.symbols, moments, strict=True)}
        if magnetic - in_input or (magnetic and len(per_element) > len(set(atoms.symbols))):
            raise StructureError(
                f"the structure has magnetic moments ({', '.join(sorted(magnetic))}), which are not passed to pw.x: "
                "set one starting magnetization for each element, espresso_input={'nspin': 2, "
                "'starting_magnetization(1)': 0.5}; elements with several moments (antiferromagnets) are not "
                "supported. To compute without spin: atoms.set_initial_magnetic_moments(None)"
            )
        return
    defaults = [(reference_states[number] or {}).get("magmom_per_atom", 0.0) for number in atoms.numbers]
    set_by_user = moments.ndim > 1 or not np.allclose(moments, defaults)  # ase.build.bulk sets the defaults
    properties = {"magnetic moments": np.any(moments) and set_by_user, "charges": np.any(atoms.get_initial_charges())}
    lost = [name for name, is_set in properties.items() if is_set]
    if lost:
        raise StructureError(
            f"the structure has initial {' and '.join(lost)}, which are not passed to the oracle {config.oracle!r}: it "
            "receives symbols, positions, cell and periodicity. Set them in its factory, and remove them from the "
            "structure (atoms.set_initial_magnetic_moments(None), atoms.set_initial_charges(None))"
        )


def check_baseline(config: CampaignConfig, start: Atoms, elements: tuple[str, ...], engine: Engine | None) -> None:
    """Check that the baseline can be evaluated, and that the engine can run it.

    Raises
    ------
    ConfigError, MissingLibraryError
        If one of both is not the case.
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
            baseline.commands("pace/extrapolation")  # raises an error if LAMMPS cannot run the baseline
        load_lammps()
        baseline.evaluate(start)
    except EngineError as error:
        raise ConfigError(f"PotentialConfig.{fields}: {error}") from error
