"""The structures with which the walkers of a campaign start."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.errors import ConfigError
from acemaker.structures.initial import initial_structure
from acemaker.structures.supported import check_supported

NAMES_ONE, SHAPES_ONE = ("structure", "crystal"), ("lattice_constant", "supercell", "composition")
"""What makes a structure of a walker's own, and what only changes one that the configuration names."""


def starts_of(config: CampaignConfig, structure: Atoms | None = None) -> tuple[Atoms, ...]:
    """Make the structure of each walker.

    Parameters
    ----------
    config
        The campaign's.
    structure
        The user's own, in the place of the campaign's; walkers that name one of their own keep it.

    Returns
    -------
    tuple of Atoms
        One for each walker.

    Raises
    ------
    ConfigError
        If a structure cannot be made, or holds an element that the first walker's does not: the potential is for the
        elements of that one.
    StructureError
        If a structure carries constraints, masses or occupancies that would not be kept.
    """
    found: list[Atoms] = []
    for number in range(1, config.n_walkers + 1):
        own = config.walkers[number - 1] if config.walkers else None
        given = own.model_dump(exclude_none=True) if own is not None else {}
        names_one = bool(set(NAMES_ONE) & set(given))
        if structure is not None and not names_one and (shaped := sorted(set(SHAPES_ONE) & set(given))):
            raise ConfigError(
                f"CampaignConfig.walkers: walker {number} gives {', '.join(shaped)}, but the structure is an object of "
                "your own; let it give structure or crystal as well, or nothing of these"
            )
        if structure is not None and not names_one:
            check_supported(structure, "the structure")
            found.append(structure)
            continue
        alone = config.walker(number)
        found.append(initial_structure(alone.system, np.random.default_rng([alone.seed, 0])))
    known = set(found[0].get_chemical_symbols())
    for number, atoms in enumerate(found, start=1):
        if more := sorted(set(atoms.get_chemical_symbols()) - known):
            raise ConfigError(
                f"CampaignConfig.walkers: the structure of walker {number} has {', '.join(more)}, that of the first "
                f"has {', '.join(sorted(known))} only; let a walker with all elements be the first"
            )
    return tuple(found)
