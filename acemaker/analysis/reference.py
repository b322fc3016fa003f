"""Reference trajectory: an independent run of the analytic oracle over the same ramp."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, ConfigError, EngineError
from acemaker.lammps import script
from acemaker.lammps.box import by_tag, image_shifts, put_structure, read_cell
from acemaker.lammps.conditions import conditions_of, definitions
from acemaker.lammps.library import open_lammps
from acemaker.loop.oracle_files import check_oracle_files
from acemaker.loop.trusted_code import authorize_oracle
from acemaker.oracles.factory import calculator_factory, pair_commands
from acemaker.oracles.fingerprint import fingerprint
from acemaker.structures.computed import energy_of, forces_of
from acemaker.structures.files import read_structures, write_structures
from acemaker.structures.per_atom import with_per_atom

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


def reference_trajectory(
    config: CampaignConfig,
    structure: Atoms,
    *,
    n_frames: int = 100,
    elements: Sequence[str] | None = None,
    file: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Atoms, ...]:
    """Run the oracle's own molecular dynamics, with initial velocities other than those of the campaign.

    Parameters
    ----------
    config
        The campaign's configuration; its oracle must be a LAMMPS pair style.
    structure
        The campaign's initial structure.
    n_frames
        Number of frames, evenly spaced over the ramp, without the start.
    elements
        Elements of the oracle's ``pair_coeff``, in alphabetical order; those of the structure if None.
    file
        File to write the frames to; it is read instead if it exists, ends at the last step, and is of this oracle.
    progress
        Called with the step of each frame.

    Returns
    -------
    tuple of Atoms
        Unwrapped, with energy and forces of the oracle, ``info["step"]`` and ``info["temperature_K"]``.

    Raises
    ------
    ConfigError
        If the oracle cannot run its own dynamics.
    EngineError
        If LAMMPS rejects the pair style, or stops.

    Examples
    --------
    >>> from acemaker import CampaignConfig
    >>> from acemaker.analysis import reference_trajectory
    >>> from ase.build import bulk
    >>> lennard_jones = {"oracle": "lammps", "pair_style": "lj/cut 6.0", "pair_coeff": ["* * 0.4 2.3"]}
    >>> config = CampaignConfig.from_parameters({**lennard_jones, "supercell": [2, 2, 2], "steps": 100})
    >>> frames = reference_trajectory(config, bulk("Cu", cubic=True) * (2, 2, 2), n_frames=5)
    >>> len(frames)
    5
    """
    config.check_accepted()
    total = config.engine.steps
    types = sorted(set(structure.get_chemical_symbols())) if elements is None else list(elements)
    identity = _identity(config, types)
    if (frames_of_file := _stored_frames(file, total, identity)) is not None:
        return frames_of_file
    if config.oracle.oracle != "lammps":
        raise ConfigError(
            f"OracleConfig.oracle: a reference trajectory needs the oracle 'lammps', got {config.oracle.oracle!r}; for "
            "another oracle pass labeled frames of your own: evaluate_accuracy(campaign, reference=frames)"
        )
    if config.engine.stages:
        raise ConfigError(
            "EngineConfig.stages: a reference trajectory of several stages is not available; pass labeled frames of "
            "your own: evaluate_accuracy(campaign, reference=frames)"
        )
    lmp = open_lammps()
    try:
        _prepare(lmp, config, structure, types)
        frames: list[Atoms] = []
        for step in np.unique(np.linspace(0, total, n_frames + 1).astype(int)[1:]):
            # another set-up would draw a new random force for the second half of the last Langevin kick
            setup = "no" if frames and config.engine.ensemble == "langevin" else "yes"
            lmp.command(f"run {step} upto start 0 stop {total} pre {setup}")
            frames.append(_frame(lmp, structure, int(step)))
            if progress is not None:
                progress(int(step))
    except AcemakerError:
        raise
    except Exception as error:  # LAMMPS raises plain exceptions
        raise EngineError(
            f"LAMMPS stopped in the oracle's own trajectory (pair_style {config.oracle.pair_style!r}): {error}"
        ) from error
    finally:
        lmp.close()
    if config.engine.ensemble == "langevin" or config.engine.changes_forces:
        _replace_forces(frames, config, tuple(types))
    if file is None:
        return tuple(frames)
    frames[-1].info["oracle"] = identity
    return write_structures(file, frames)


def reference_trajectory_of(campaign: CampaignReader, walker: int | None = None) -> tuple[Atoms, ...]:
    """Run the oracle's own dynamics under the conditions of a walker, or read the frames of an earlier run.

    Parameters
    ----------
    campaign
        The campaign; the frames are stored in its directory.
    walker
        Number of the walker, from 1; None for one trajectory per set of conditions under which walkers explore.

    Raises
    ------
    ConfigError
        If there is no such walker, or the oracle cannot run its own dynamics.
    UntrustedError
        If the configuration names code, and the campaign was not used on this machine before.
    """
    if walker is None:
        return tuple(
            atoms for number in _conditions(campaign.config) for atoms in reference_trajectory_of(campaign, number)
        )
    name = "reference_trajectory.extxyz" if walker == 1 else f"reference_trajectory_walker_{walker:04d}.extxyz"
    config, elements = campaign.config.walker(walker), sorted(set(campaign.initial_structure().get_chemical_symbols()))
    start = campaign.initial_structures()[walker - 1]
    file = campaign.directory / name
    if _stored_frames(file, config.engine.steps, _identity(config, elements)) is None:
        authorize_oracle(campaign.config, campaign.directory, used=("pair_style",))
        check_oracle_files(campaign.directory, campaign.progress.oracle_files, config.oracle, tuple(elements))
    return reference_trajectory(config, start, elements=elements, file=file)


def _stored_frames(file: Path | None, steps: int, identity: str) -> tuple[Atoms, ...] | None:
    """Read the frames of an earlier run; None if there are none, or they are of other steps or of another oracle."""
    if file is None or not file.exists():
        return None
    frames = read_structures(file)
    last = frames[-1].info
    is_same_oracle = not identity or last.get("oracle", identity) == identity  # absent in older files
    return frames if last["step"] == steps and is_same_oracle else None


def _identity(config: CampaignConfig, elements: Sequence[str]) -> str:
    """Return a digest of the oracle's commands and files; empty if it has no own dynamics, or a file is missing."""
    oracle = config.oracle
    if oracle.oracle != "lammps":
        return ""
    try:
        files = fingerprint(oracle, tuple(elements))
    except AcemakerError:
        return ""
    return hashlib.sha256(f"{oracle.pair_style} {oracle.pair_coeff} {files}".encode()).hexdigest()[:20]


def _conditions(config: CampaignConfig) -> list[int]:
    """Choose one walker per set of conditions; walkers that differ only in their random numbers share a set."""
    walkers: dict[str, int] = {}
    for number in range(1, config.n_walkers + 1):
        own_config = config.walker(number)
        walkers.setdefault(own_config.system.model_dump_json() + own_config.engine.model_dump_json(), number)
    return list(walkers.values())


def _prepare(lmp: Any, config: CampaignConfig, structure: Atoms, elements: list[str]) -> None:
    seed = script.random_seed(config.seed, 1_000_003)
    for command in script.header_commands(bool(structure.pbc.all())):
        lmp.command(command)
    conditions = conditions_of(config.engine, structure)
    group = conditions.group
    put_structure(lmp, structure, elements, config.engine.may_tilt)
    commands = definitions(conditions, structure, restored=False)
    commands += pair_commands(config.oracle) + script.neighbor_commands(config.engine.skin)
    commands += script.molecule_commands(config.engine.skin, bool(structure.pbc.all()))
    # also for a structure with momenta, which are those of the campaign
    commands += conditions.velocities(config.engine.first_temperature, seed)
    commands += conditions.before()
    commands += script.ensemble_commands(config.engine, seed, group=group)
    commands += conditions.after(0, conditions.strain_name(0))
    commands += script.output_commands(config.engine, config.otf.check_every, group)
    for command in commands:
        lmp.command(command)


def _replace_forces(frames: list[Atoms], config: CampaignConfig, elements: tuple[str, ...]) -> None:
    """Replace the forces of frames by those of the oracle: LAMMPS adds noise and external forces to its own."""
    make_calculator = calculator_factory(config.oracle, elements)
    for atoms in frames:
        work = atoms.copy()
        work.calc = make_calculator()
        forces = forces_of(work)
        atoms.calc = SinglePointCalculator(atoms, energy=energy_of(atoms), forces=forces)


def _frame(lmp: Any, structure: Atoms, step: int) -> Atoms:
    nlocal = lmp.extract_setting("nlocal")
    tags = lmp.numpy.extract_atom("id")[:nlocal]
    cell, origin = read_cell(lmp)
    images = image_shifts(lmp.numpy.extract_atom("image")[:nlocal])
    positions = by_tag(lmp.numpy.extract_atom("x")[:nlocal] - origin + images @ cell, tags)
    atoms = Atoms(structure.symbols, positions, cell=cell if structure.pbc.all() else None, pbc=structure.pbc)
    with_per_atom(structure, atoms)
    forces = by_tag(lmp.numpy.extract_atom("f")[:nlocal], tags)
    atoms.calc = SinglePointCalculator(atoms, energy=float(lmp.get_thermo("pe")), forces=forces)
    atoms.info["step"] = step
    atoms.info["temperature_K"] = float(lmp.get_thermo("temp"))
    return atoms
