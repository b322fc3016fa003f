"""Checks that the parts of a campaign exist and are compatible, before it is created."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig, EngineConfig, OracleConfig
from acemaker.config.espresso_input import indexed, items
from acemaker.config.oracle import SPINLESS
from acemaker.engines.protocol import Engine
from acemaker.errors import CampaignExistsError, ConfigError, EngineError, StructureError
from acemaker.labeling.factory import GivenExecutor, make_backend
from acemaker.lammps.ensemble import check_ensemble
from acemaker.lammps.executable import launcher_command, native_command
from acemaker.lammps.library import load_lammps
from acemaker.lammps.paths import check_path
from acemaker.lammps.trial import try_commands
from acemaker.loop.compatibility import CONTENTS
from acemaker.loop.initial_structures import initial_structures_of
from acemaker.loop.store import Store
from acemaker.oracles.espresso import check_initial_moments
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.oracles.oracle_check import OracleCheck
from acemaker.oracles.pw_input import check_contradictions, check_species
from acemaker.oracles.smoke_test import gives_stress, try_oracle
from acemaker.oracles.total_charge import check_total_charge, stated_charge
from acemaker.oracles.user_oracle import FunctionOracle
from acemaker.potentials.baseline_files import find_baseline
from acemaker.potentials.environment import check_structure
from acemaker.structures.candidates import check_strategies
from acemaker.structures.embedding import fit_to_oracle
from acemaker.structures.moments import check_moments_of_file
from acemaker.structures.vibrations import remark_on_time_step

LEAST_CHARGE = 1e-3
"""Elementary charges; smaller sums of charges are due to rounding."""

logger = logging.getLogger("acemaker")

LOCAL_EXECUTORS = ("threads", "processes")
"""Executors that compute labels with the programs of this machine."""


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
    folders = [name for name in CONTENTS if (store.directory / name).exists()]
    # another process may have created the campaign in the meantime, or ended while it replaced one
    if folders and not store.journal.exists() and not store.replacing.exists():
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
    remarks: dict[str, None] = {}
    for number, atoms in enumerate(structures, start=1):
        settings = config.walker(number).engine if engine is None else getattr(engine, "config", None)
        if isinstance(settings, EngineConfig):  # an engine of the user may have others
            check_ensemble(settings, atoms)
            try_commands(settings, atoms)
            remarks[remark_on_time_step(atoms, settings.timestep)] = None
        if oracle is None:
            check_periodicity(config.oracle, atoms)
            file = config.walker(number).system.file
            check_moments(config.oracle, atoms, elements, file if structure is None else None)
        is_repeated = structure is None and bool(atoms.pbc.any())
        n_copies = math.prod(config.walker(number).system.supercell) if is_repeated else 1
        check_total_charge(config.oracle, atoms, n_copies=n_copies, own=oracle)
        if number == 1 or atoms != first:
            check_structure(atoms, elements)
            check_strategies(config.otf, atoms)
            fit_to_oracle(atoms, config.oracle.max_atoms, config.embedding)
    if engine is None:
        launcher_command(config.engine.launcher)
    if engine is None and (config.engine.engine == "inprocess" or not native_command(config.engine.lammps)):
        load_lammps()
    check_baseline(config, first, elements, engine)
    make_backend(config.labeling, config.oracle, elements, folder=store.queue, own=oracle, given=executor)
    if oracle is None and config.oracle.oracle == "espresso":
        check_initial_moments(config.oracle, elements, structures)
    if oracle is not None and config.oracle.magnetic_moments:
        check_species(config.oracle, elements)
        if not isinstance(oracle, CalculatorOracle | FunctionOracle):
            raise ConfigError(
                "OracleConfig.magnetic_moments: an oracle object of your own receives only the structure; set the "
                "moments there, atoms.set_initial_magnetic_moments(...)"
            )
    for remark in filter(None, remarks):
        logger.warning(remark)
    return structures


def check_labels(
    config: CampaignConfig,
    structures: Sequence[Atoms],
    engine: Engine | None,
    oracle: Oracle | None,
    executor: GivenExecutor | None = None,
) -> OracleCheck | None:
    """Check the labels of a cheap oracle, and that they contain what the engine needs.

    Parameters
    ----------
    config
        The configuration.
    structures
        The structure with which each walker starts.
    engine, oracle, executor
        The user's objects, or None.

    Returns
    -------
    OracleCheck or None
        None if the oracle was not tried.

    Raises
    ------
    ConfigError
        If labels cannot be computed or would be wrong, or a barostat needs a stress that they have not.
    """
    cell = fit_to_oracle(structures[0], config.oracle.max_atoms, config.embedding)
    is_local = executor is None and config.labeling.executor in LOCAL_EXECUTORS
    check = try_oracle(config.oracle, cell, oracle) if oracle is not None or is_local else None
    has_stress = check.has_stress if check is not None else gives_stress(config.oracle) if oracle is None else None
    stress_failure = check.stress_failure if check is not None else ""
    if engine is None and has_stress is False and cell.pbc.all():
        name = repr(config.oracle.oracle) if oracle is None else "object"
        check_stress(config, structures, name, stress_failure)
    if check is None:
        logger.info(f"labels have up to {len(cell)} atoms; 'acemaker check-oracle' measures the time of one")
    else:
        logger.info(f"a label of {check.n_atoms} atoms took {check.seconds:.2g} s in a trial, which is not counted")
        if stress_failure:
            logger.warning(
                f"check of the oracle {check.name}, stress: the calculator failed to compute it ({stress_failure}); "
                "such labels have no stress"
            )
        for finding in check.warnings:
            logger.warning(f"check of the oracle {check.name}, {finding.name}: {finding.explanation}")
    return check


def check_periodicity(config: OracleConfig, atoms: Atoms) -> None:
    """Refuse structures that the oracle cannot label because they are periodic, or because they are not.

    Parameters
    ----------
    config
        Settings of the oracle.
    atoms
        A walker's structure.

    Raises
    ------
    StructureError
        The message contains the remedy.
    """
    if config.oracle == "espresso" and not atoms.pbc.all():
        raise StructureError(
            f"oracle 'espresso': expected a structure periodic in all directions, got pbc={atoms.pbc.tolist()}: "
            "pw.x always repeats the cell. Put a cluster or molecule into a periodic box with vacuum: "
            "atoms.center(vacuum=6); atoms.pbc = True"
        )
    if config.oracle in ("abinit", "cp2k", "vasp") and not atoms.pbc.all():
        raise StructureError(
            f"oracle {config.oracle!r}: expected a structure periodic in all directions, got pbc={atoms.pbc.tolist()}; "
            "put a cluster or molecule into a periodic box with vacuum: atoms.center(vacuum=6); atoms.pbc = True"
        )
    if config.oracle in ("gpaw", "chgnet") and not atoms.pbc.all() and atoms.cell.rank < 3:
        raise StructureError(
            f"oracle {config.oracle!r}: expected a structure in a cell, got none; put a cluster or molecule into a box "
            "with vacuum: atoms.center(vacuum=6); atoms.pbc = True"
        )
    if config.oracle == "tblite" and atoms.pbc.any():
        raise StructureError(
            f"oracle 'tblite': expected a molecule or cluster that is not periodic, got pbc={atoms.pbc.tolist()}: it "
            "samples only the Gamma point of a crystal, so that cells of different sizes would have inconsistent "
            "labels. For a molecule: atoms.pbc = False; to use it for a single cell size at your own risk, set "
            "oracle='tblite.ase:TBLite'"
        )


def check_stress(config: CampaignConfig, structures: Sequence[Atoms], name: str, failure: str = "") -> None:
    """Refuse a barostat if the oracle has no stress, from which the pressure of the potential is learned.

    Parameters
    ----------
    config
        The configuration.
    structures
        The structure with which each walker starts.
    name
        Name of the oracle.
    failure
        Error of a calculator that has a stress, but could not compute it; empty if it has none.

    Raises
    ------
    ConfigError
        If a walker has a barostat.
    """
    engines = [config.walker(number + 1).engine for number in range(len(structures))]
    ensemble = next((engine.ensemble for engine in engines if engine.has_barostat), None)
    if ensemble is not None and failure:
        raise ConfigError(
            f"EngineConfig.ensemble: {ensemble!r} needs the stress, which the oracle {name} failed to compute: "
            f"{failure}. The pressure, and so the volume, would be learned from energies and forces alone. Correct the "
            "oracle, or choose ensemble='nvt' (or 'csvr', 'langevin', 'nve')"
        )
    if ensemble is not None:
        raise ConfigError(
            f"EngineConfig.ensemble: {ensemble!r} needs the stress, and the labels of the oracle {name} have none: the "
            "pressure, and so the volume, would be learned from energies and forces alone. Choose ensemble='nvt' (or "
            "'csvr', 'langevin', 'nve'), or an oracle with stress"
        )


def check_moments(config: OracleConfig, atoms: Atoms, elements: tuple[str, ...], file: Path | None = None) -> None:
    """Refuse magnetic moments and charges of a structure that would not reach the oracle, or contradict its settings.

    Parameters
    ----------
    config
        Settings of the oracle.
    atoms
        A walker's structure.
    elements
        Elements of the system.
    file
        File from which it was read; None if there is none.

    Raises
    ------
    ConfigError
        If a setting is of an element that is not in the system.
    StructureError
        If the moments are vectors, contradict the settings, or are not read from the file; or if the structure has
        charges that do not reach the oracle.
    """
    if config.oracle in SPINLESS or config.oracle.startswith("acemaker.oracles.universal:"):
        return  # these ignore spin
    check_species(config, elements)
    inputs = {indexed(name)[0]: value for _, name, value in items(config.espresso_input)}
    if file is not None and not config.magnetic_moments and not {"nspin", "starting_magnetization"} & set(inputs):
        check_moments_of_file(file, atoms, f"SystemConfig.structure: {str(file)!r}")
    check_contradictions(config, elements, atoms)
    charge = float(atoms.get_initial_charges().sum())
    if config.oracle == "espresso" and abs(charge) > LEAST_CHARGE and "tot_charge" not in inputs:
        raise StructureError(
            f"the initial charges of the structure add up to {charge:g} e, which pw.x does not receive; set "
            f"espresso_input={{'tot_charge': {charge:g}}}, or remove them (atoms.set_initial_charges(None))"
        )
    stated = stated_charge(config)
    is_stated = stated is not None and abs(stated - charge) < LEAST_CHARGE
    if config.oracle != "espresso" and np.any(atoms.get_initial_charges()) and not is_stated:
        raise StructureError(
            f"the structure has initial charges, which are not passed to the oracle {config.oracle!r}: it receives "
            "symbols, positions, cell, periodicity and magnetic moments. Set them in its factory, and remove them from "
            "the structure (atoms.set_initial_charges(None))"
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
