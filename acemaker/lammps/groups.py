"""Atoms of a structure that belong to a group."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from acemaker.config import GroupConfig
from acemaker.errors import StructureError


def members(group: GroupConfig, structure: Atoms, where: str) -> np.ndarray:
    """Return which atoms of a structure meet the conditions of a group.

    Parameters
    ----------
    group
        The conditions.
    structure
        The structure.
    where
        Name of the group, for the message.

    Returns
    -------
    ndarray of bool, shape (n_atoms,)

    Raises
    ------
    StructureError
        If no atom does, or there is no atom of an index.

    Examples
    --------
    >>> from acemaker.config import GroupConfig
    >>> from ase.build import fcc111
    >>> slab = fcc111("Al", (2, 2, 3), vacuum=8.0, periodic=True)
    >>> int(members(GroupConfig(z=(None, 9)), slab, "frozen_atoms").sum())
    4
    """
    chosen = np.ones(len(structure), dtype=bool)
    if group.elements:
        chosen &= np.isin(structure.get_chemical_symbols(), group.elements)
    if group.indices:
        if max(group.indices) >= len(structure):
            raise StructureError(
                f"{where} contains the index {max(group.indices)}, but the structure has {len(structure)} atoms, "
                "counted from 0"
            )
        chosen &= np.isin(np.arange(len(structure)), group.indices)
    for number, axis in enumerate("xyz"):
        low, high = getattr(group, axis) or (None, None)
        coordinates = structure.positions[:, number]
        chosen &= coordinates >= (-np.inf if low is None else low)
        chosen &= coordinates <= (np.inf if high is None else high)
    if not chosen.any():
        low, high = structure.positions.min(axis=0), structure.positions.max(axis=0)
        extent = ", ".join(f"{axis} {a:.3g} to {b:.3g}" for axis, a, b in zip("xyz", low, high, strict=True))
        raise StructureError(
            f"{where} contains no atom of the structure; expected conditions that at least one atom meets, got "
            f"{group.conditions}. The structure has {len(structure)} atoms of "
            f"{', '.join(sorted(set(structure.get_chemical_symbols())))}, at {extent} Å"
        )
    return chosen
