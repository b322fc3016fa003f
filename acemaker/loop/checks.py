"""Whether the parts of a campaign are there and fit together."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import reference_states

from acemaker.config import CampaignConfig, OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.engines.protocol import Engine
from acemaker.errors import CampaignExistsError, ConfigError, EngineError, StructureError
from acemaker.labeling.factory import GivenExecutor, make_place
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.executable import launcher_command, native_command
from acemaker.lammps.library import load_lammps
from acemaker.lammps.paths import check_path
from acemaker.loop.initial_structures import starts_of
from acemaker.loop.store import Store
from acemaker.oracles.espresso import check_species
from acemaker.oracles.oracle import Oracle
from acemaker.oracles.smoke_test import try_oracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.environment import check_structure
from acemaker.structures.candidates import check_strategies
from acemaker.structures.embedding import affordable

HERE = ("threads", "processes")
"""Executors whose labels are made with the programs of this machine."""

START = "starting_magnetization"
"""Of pw.x's input."""


def check_start(store: Store) -> None:
    """Make sure that a campaign can start in a directory.

    Parameters
    ----------
    store
        The campaign's files.

    Raises
    ------
    CampaignExistsError
        If files of another campaign lie there.
    ConfigError
        If a program cannot be given the path.
    """
    check_path(store.directory)
    left = [name for name in ("labels", "segments", "potentials") if (store.directory / name).exists()]
    if left and not store.journal.exists():  # another process may have begun one since the journal was looked for
        raise CampaignExistsError(
            f"{store.directory} has no journal, but {', '.join(left)} of another campaign; move these away or "
            "choose another directory"
        )


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
        if oracle is None:
            check_moments(config.oracle, one, elements)
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


def check_moments(config: OracleConfig, atoms: Atoms, elements: tuple[str, ...]) -> None:
    """Refuse magnetic moments and charges of a structure that would not reach the oracle.

    Parameters
    ----------
    config
        The oracle.
    atoms
        A walker's structure.
    elements
        Of the system.

    Raises
    ------
    ConfigError
        If pw.x's input numbers elements that there are not.
    StructureError
        If the structure has moments, and pw.x's input does not give each of its magnetic elements one, or an element
        has several; or if it has moments or charges, and the oracle is a calculator that would not be told of them.
    """
    if config.oracle in ("emt", "lammps") or config.oracle.startswith("acemaker.oracles.universal:"):
        return  # which know no spin
    if config.oracle == "espresso":
        check_species(config, elements)
    moments = atoms.get_initial_magnetic_moments()
    magnetic = {symbol for symbol, moment in zip(atoms.symbols, moments, strict=True) if np.any(moment)}
    if config.oracle == "espresso":
        values = {indexed(name): value for _, name, value in items(config.espresso_input)}
        given = {elements[indices[0] - 1] for (name, indices), value in values.items() if name == START and value}
        per_element = {(symbol, *np.atleast_1d(moment)) for symbol, moment in zip(atoms.symbols, moments, strict=True)}
        if magnetic - given or (magnetic and len(per_element) > len(set(atoms.symbols))):
            raise StructureError(
                f"the structure has magnetic moments ({', '.join(sorted(magnetic))}), which do not reach pw.x yet: it "
                "takes one starting magnetization for each element, espresso_input={'nspin': 2, "
                "'starting_magnetization(1)': 0.5}, and elements with several moments (antiferromagnets) are not "
                "supported. Without spin: atoms.set_initial_magnetic_moments(None)"
            )
        return
    guessed = [(reference_states[number] or {}).get("magmom_per_atom", 0.0) for number in atoms.numbers]
    meant = moments.ndim > 1 or not np.allclose(moments, guessed)  # ase.build.bulk sets them unasked
    there = {"magnetic moments": np.any(moments) and meant, "charges": np.any(atoms.get_initial_charges())}
    carried = [name for name, given in there.items() if given]
    if carried:
        raise StructureError(
            f"the structure has initial {' and '.join(carried)}, which do not reach the oracle {config.oracle!r}: it "
            "is given symbols, positions, cell and periodicity. Let its factory set them, and remove them from the "
            "structure (atoms.set_initial_magnetic_moments(None), atoms.set_initial_charges(None))"
        )


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
