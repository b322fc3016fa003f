"""The structures with which the walkers of a campaign start."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError
from acemaker.structures.initial import initial_structure
from acemaker.structures.supported import check_supported

SOURCES, MODIFIERS = ("structure", "crystal"), ("lattice_constant", "supercell", "composition")
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
        If a structure has constraints, masses or occupancies, which are not supported.
    """
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
            check_supported(structure, "the structure")
            structures.append(structure)
            continue
        settings = config.walker(number)
        structures.append(initial_structure(settings.system, np.random.default_rng([settings.seed, 0])))
    elements = set(structures[0].get_chemical_symbols())
    for number, atoms in enumerate(structures, start=1):
        if more := sorted(set(atoms.get_chemical_symbols()) - elements):
            raise ConfigError(
                f"CampaignConfig.walkers: the structure of walker {number} contains {', '.join(more)}, that of the "
                f"first walker only {', '.join(sorted(elements))}; put a walker with all elements first"
            )
    return tuple(structures)
