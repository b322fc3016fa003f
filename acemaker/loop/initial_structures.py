"""The structures with which the walkers of a campaign start."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig, SystemConfig
from acemaker.errors import ConfigError, StructureError
from acemaker.lammps.groups import members
from acemaker.structures.initial import (
    check_cell,
    check_periodicity,
    complete,
    initial_structure,
    unit_cells,
    with_regular_cell,
)
from acemaker.structures.lengths import check_lengths
from acemaker.structures.momenta import check_trajectories_differ, with_usable_momenta
from acemaker.structures.per_atom import FROZEN
from acemaker.structures.supported import as_initial

SOURCES = ("structure", "crystal")
MODIFIERS = (
    "lattice_constant",
    "c_over_a",
    "supercell",
    "composition",
    "format",
    "atom_style",
    "elements",
    "length_unit",
)
"""Fields that define a walker's structure, and fields that only change the structure of the configuration."""


def initial_structures_of(config: CampaignConfig, structure: Atoms | None = None) -> tuple[Atoms, ...]:
    """Return the structure of each walker.

    Parameters
    ----------
    config
        The campaign's configuration.
    structure
        The user's object, instead of the structure of the configuration, except for walkers that define their own.

    Returns
    -------
    tuple of Atoms
        One structure per walker.

    Raises
    ------
    ConfigError
        If a structure cannot be created, or contains an element that the first walker's structure does not: the
        potential is for the elements of that one.
    StructureError
        If a structure has constraints or occupancies that are not supported, or momenta that cannot be used.
    """
    if structure is not None:
        _check_object(config)
    frames = _frames(config) if structure is None else []
    structures: list[Atoms] = []
    for number in range(1, config.n_walkers + 1):
        walker = config.walkers[number - 1] if config.walkers else None
        fields = walker.model_dump(exclude_none=True) if walker is not None else {}
        has_source = bool(set(SOURCES) & set(fields))
        if structure is not None and not has_source and (modifiers := sorted(set(MODIFIERS) & set(fields))):
            raise ConfigError(
                f"CampaignConfig.walkers: walker {number} sets {', '.join(modifiers)}, but the structure was passed as "
                "an object; set structure or crystal of the walker as well, or none of these fields"
            )
        if structure is not None and not has_source:
            structures.append(_checked(as_initial(structure, "the structure"), config, None))
            continue
        settings = config.walker(number)
        rng = np.random.default_rng([settings.seed, 0])
        system = settings.system
        own_frame = bool(frames) and not has_source
        atoms = complete(frames.pop(0), system, rng) if own_frame else initial_structure(system, rng)
        structures.append(_checked(atoms, config, system))
    structures = [
        with_usable_momenta(atoms, config.walker(number).engine.first_temperature, f"the structure of walker {number}")
        for number, atoms in enumerate(structures, start=1)
    ]
    check_trajectories_differ(config, structures)
    elements = set(structures[0].get_chemical_symbols())
    for number, atoms in enumerate(structures, start=1):
        if more := sorted(set(atoms.get_chemical_symbols()) - elements):
            raise ConfigError(
                f"CampaignConfig.walkers: the structure of walker {number} contains {', '.join(more)}, that of the "
                f"first walker only {', '.join(sorted(elements))}; put a walker with all elements first"
            )
    return tuple(structures)


def _frames(config: CampaignConfig) -> list[Atoms]:
    """Read the frames of a file, one per walker without a structure of its own; empty without several frames."""
    if not isinstance(config.system.frame, slice):
        return []
    walkers = [walker for walker in config.walkers if walker.structure is None and walker.crystal is None]
    n_walkers = len(walkers) if config.walkers else 1
    frames = unit_cells(config.system)
    if len(frames) != n_walkers:
        without = " without a structure of their own" if n_walkers != config.n_walkers else ""
        raise ConfigError(
            f"SystemConfig.structure: {config.system.structure!r} are {len(frames)} frames for {n_walkers} walker"
            f"{'s' if n_walkers != 1 else ''}{without}; set walkers={len(frames)} to start one with each frame, or set "
            f"one frame, e.g. '{config.system.file}@-1'"
        )
    return frames


def _check_object(config: CampaignConfig) -> None:
    """Check that no field describes a file or an alloy, if the structure was passed as an object."""
    names = [name for name in ("composition", "format", "atom_style", "elements") if getattr(config.system, name)]
    if config.system.length_unit not in (None, "angstrom"):
        names.append("length_unit")
    if names:
        raise ConfigError(
            f"SystemConfig.{names[0]}: the structure was passed as an object, to which {', '.join(names)} would not "
            f"apply; omit {'it' if len(names) == 1 else 'them'}, or change the object"
        )


def _checked(atoms: Atoms, config: CampaignConfig, system: SystemConfig | None) -> Atoms:
    """Check the distances of a structure, and give it a cell that LAMMPS can run; None for the user's object."""
    check_periodicity(atoms)
    if (unknown := int((atoms.numbers == 0).sum())) > 0:
        where = "the structure" if system is None else f"SystemConfig.structure: {system.structure!r}"
        raise StructureError(f"{where} has {unknown} atoms without an element (X); name their elements, or remove them")
    if system is None:
        where, remedy = "the structure", "convert positions and cell to Å"
    elif system.file is None:
        where, remedy = f"SystemConfig.lattice_constant: {system.structure!r}", "set lattice_constant in Å"
    else:
        where, remedy = f"SystemConfig.structure: {system.structure!r}", "set length_unit='{unit}'"
    check_cell(atoms, where)
    accepted = (system or config.system).length_unit is not None
    check_lengths(atoms, where, closest=config.oracle.min_label_distance, accepted=accepted, remedy=remedy)
    return _with_frozen(with_regular_cell(atoms, config.potential.cutoff), config.system)


def _with_frozen(atoms: Atoms, system: SystemConfig) -> Atoms:
    """Return a structure in which the atoms that the configuration names are frozen."""
    if system.frozen_atoms is None:
        return atoms
    where = "SystemConfig.frozen_atoms"
    frozen = members(system.frozen_atoms, atoms, where)
    if frozen.all():
        raise StructureError(
            f"{where} contains all {len(atoms)} atoms of the structure, so that nothing would move; leave some free"
        )
    if FROZEN in atoms.arrays and not np.array_equal(atoms.arrays[FROZEN], frozen):
        raise StructureError(
            f"{where} contains {int(frozen.sum())} atoms, but the structure itself fixes "
            f"{int(atoms.arrays[FROZEN].sum())} atoms, which are others; omit one of the two"
        )
    copy = atoms.copy()
    copy.arrays[FROZEN] = frozen
    return copy
