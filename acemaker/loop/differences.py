"""In what a campaign differs from the one that is there, and what of it may be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.config import CampaignConfig
from acemaker.config.campaign import BOUNDS
from acemaker.errors import ConfigError
from acemaker.loop.initial_structures import starts_of
from acemaker.loop.journaled_state import config_of
from acemaker.loop.store import Store
from acemaker.structures.files import read_structures
from acemaker.structures.supported import check_supported


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

    Raises
    ------
    StructureError
        If the structure carries what would not be kept.
    """
    differences = config_of(events[:1]).differences(config)
    if structure is not None:
        check_supported(structure, "the structure")
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
