"""An independent trajectory of the oracle twin over the same ramp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import CampaignConfig
from acemaker.errors import AcemakerError, ConfigError, EngineError
from acemaker.lammps import script
from acemaker.lammps.box import by_tag, has_momenta, image_shifts, put_structure, read_cell
from acemaker.lammps.library import open_lammps
from acemaker.loop.authorization import admit_oracle
from acemaker.oracles.factory import calculator_factory, pair_commands
from acemaker.structures.computed import energy_of
from acemaker.structures.files import read_structures, write_structures

if TYPE_CHECKING:
    from acemaker.loop.reader import CampaignReader


def truth_trajectory(
    config: CampaignConfig,
    structure: Atoms,
    *,
    n_frames: int = 100,
    elements: Sequence[str] | None = None,
    file: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Atoms, ...]:
    """Run the oracle's own molecular dynamics, with velocities that the campaign never saw.

    Parameters
    ----------
    config
        The campaign's; its oracle must be a LAMMPS pair style.
    structure
        The campaign's initial structure.
    n_frames
        Frames to keep, evenly spaced over the ramp, the start excluded.
    elements
        For which the oracle's ``pair_coeff`` is written, in alphabetical order; those of the structure if None.
    file
        Where to keep them; read instead of run if it exists, and leads to the last step.
    progress
        Called with each step that was reached.

    Returns
    -------
    tuple of Atoms
        Unwrapped, with energy and forces of the oracle, ``info["step"]`` and ``info["temperature_K"]``.

    Raises
    ------
    ConfigError
        If the oracle is not one that can run its own dynamics.
    EngineError
        If LAMMPS refuses the pair style, or stops.
    """
    total = config.engine.steps
    if (there := _kept(file, total)) is not None:
        return there
    if config.oracle.oracle != "lammps":
        raise ConfigError(
            f"OracleConfig.oracle: a truth trajectory needs the oracle 'lammps', got {config.oracle.oracle!r}; for "
            "another oracle give labelled frames of your own: judge(campaign, truth=frames)"
        )
    types = sorted(set(structure.get_chemical_symbols())) if elements is None else list(elements)
    lmp = open_lammps()
    try:
        _prepare(lmp, config, structure, types)
        frames: list[Atoms] = []
        for step in np.unique(np.linspace(0, total, n_frames + 1).astype(int)[1:]):
            # a set-up would draw another random force for the second half of Langevin's last kick
            setup = "no" if frames and config.engine.ensemble == "langevin" else "yes"
            lmp.command(f"run {step} upto start 0 stop {total} pre {setup}")
            frames.append(_frame(lmp, structure, int(step)))
            if progress is not None:
                progress(int(step))
    except AcemakerError:
        raise
    except Exception as error:  # LAMMPS's errors have no class of their own
        raise EngineError(
            f"LAMMPS stopped in the oracle's own trajectory (pair_style {config.oracle.pair_style!r}): {error}"
        ) from error
    finally:
        lmp.close()
    if config.engine.ensemble == "langevin":
        _without_noise(frames, config, tuple(types))
    return write_structures(file, frames) if file is not None else tuple(frames)


def truth_of(campaign: CampaignReader, walker: int | None = None) -> tuple[Atoms, ...]:
    """Run the oracle's own dynamics as a walker of a campaign runs, or read what was run before.

    Parameters
    ----------
    campaign
        The campaign, in whose directory the frames are kept.
    walker
        Its number, from 1; None for one trajectory under each of the conditions under which walkers explore.

    Raises
    ------
    ConfigError
        If there is no such walker, or the oracle cannot run its own dynamics.
    UntrustedError
        If the oracle names code, and the campaign was not used on this machine before.
    """
    if walker is None:
        return tuple(atoms for number in _conditions(campaign.config) for atoms in truth_of(campaign, number))
    name = "truth.extxyz" if walker == 1 else f"truth_walker_{walker:04d}.extxyz"
    config, elements = campaign.config.walker(walker), sorted(set(campaign.initial.get_chemical_symbols()))
    start = campaign.starts[walker - 1]
    file = campaign.directory / name
    if _kept(file, config.engine.steps) is None:
        admit_oracle(campaign.config, campaign.directory, used=("pair_style",))
    return truth_trajectory(config, start, elements=elements, file=file)


def _kept(file: Path | None, steps: int) -> tuple[Atoms, ...] | None:
    """Read frames that were run before; None where there are none, or the campaign has been given more steps since."""
    if file is None or not file.exists():
        return None
    there = read_structures(file)
    return there if there[-1].info["step"] == steps else None


def _conditions(config: CampaignConfig) -> list[int]:
    """Choose a walker for each condition, whatever their random numbers."""
    found: dict[str, int] = {}
    for number in range(1, config.n_walkers + 1):
        alone = config.walker(number)
        found.setdefault(alone.system.model_dump_json() + alone.engine.model_dump_json(), number)
    return list(found.values())


def _prepare(lmp: Any, config: CampaignConfig, structure: Atoms, elements: list[str]) -> None:
    seed = script.random_seed(config.seed, 1_000_003)
    for command in script.header_commands(bool(structure.pbc.all())):
        lmp.command(command)
    triclinic = config.engine.ensemble == "npt" and config.engine.pressure_coupling == "tri"
    put_structure(lmp, structure, elements, triclinic)
    commands = pair_commands(config.oracle) + script.neighbour_commands(config.engine.skin)
    if not has_momenta(structure):
        commands += script.velocity_commands(config.engine.temperature[0], seed)
    commands += script.ensemble_commands(config.engine, seed)
    commands += script.output_commands(config.engine, config.otf.check_every)
    for command in commands:
        lmp.command(command)


def _without_noise(frames: list[Atoms], config: CampaignConfig, elements: tuple[str, ...]) -> None:
    """Give frames the oracle's forces alone: LAMMPS has added friction and random forces to those that it holds."""
    make_calculator = calculator_factory(config.oracle, elements)
    for atoms in frames:
        forces = np.array(make_calculator().get_forces(atoms.copy()))
        atoms.calc = SinglePointCalculator(atoms, energy=energy_of(atoms), forces=forces)


def _frame(lmp: Any, structure: Atoms, step: int) -> Atoms:
    nlocal = lmp.extract_setting("nlocal")
    tags = lmp.numpy.extract_atom("id")[:nlocal]
    cell, origin = read_cell(lmp)
    images = image_shifts(lmp.numpy.extract_atom("image")[:nlocal])
    positions = by_tag(lmp.numpy.extract_atom("x")[:nlocal] - origin + images @ cell, tags)
    atoms = Atoms(structure.symbols, positions, cell=cell if structure.pbc.all() else None, pbc=structure.pbc)
    forces = by_tag(lmp.numpy.extract_atom("f")[:nlocal], tags)
    atoms.calc = SinglePointCalculator(atoms, energy=float(lmp.get_thermo("pe")), forces=forces)
    atoms.info["step"] = step
    atoms.info["temperature_K"] = float(lmp.get_thermo("temp"))
    return atoms
