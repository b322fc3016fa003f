"""Atomic environments of pyace for periodic structures and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.errors import StructureError
from acemaker.lammps.box import right_handed
from acemaker.potentials.pyace_library import load_pyace


def check_structure(atoms: Atoms, elements: Sequence[str]) -> None:
    """Raise StructureError for structures that an ACE with these elements cannot describe.

    Parameters
    ----------
    atoms
        The structure.
    elements
        Elements of the basis.

    Raises
    ------
    StructureError
        For no atoms, mixed periodicity, non-finite positions, a flat cell, or an unknown element.
    """
    if len(atoms) == 0:
        raise StructureError("expected a structure with atoms, got an empty one")
    if atoms.pbc.any() and not atoms.pbc.all():
        raise StructureError(
            f"expected a structure periodic in all directions or in none, got pbc={atoms.pbc.tolist()}; "
            "for a slab, add vacuum and periodic boundary conditions: atoms.center(vacuum=8, axis=2); atoms.pbc = True"
        )
    if not np.isfinite(atoms.positions).all():
        raise StructureError("expected finite positions, got NaN or infinity")
    if atoms.pbc.all() and abs(atoms.cell.volume) < 1e-3:
        raise StructureError(f"expected a periodic cell with a nonzero volume, got {atoms.cell.volume:g} Å^3")
    missing = sorted(set(atoms.get_chemical_symbols()) - set(elements))
    if missing:
        raise StructureError(
            f"the basis has functions for {', '.join(elements)} but not for {', '.join(missing)}; start the "
            "campaign with a structure that contains all elements"
        )


def environment(atoms: Atoms, elements: Sequence[str], cutoff: float) -> Any:
    """Build the atomic environment of a structure for pyace.

    Parameters
    ----------
    atoms
        Structure, fully periodic or not at all.
    elements
        Elements in the order of the basis.
    cutoff
        Å.

    Returns
    -------
    pyace.ACEAtomicEnvironment
        Environment whose ghost atoms are mapped onto their originals.

    Raises
    ------
    StructureError
        See `check_structure`.
    """
    check_structure(atoms, elements)
    load_pyace()
    from pyace.atomicenvironment import aseatoms_to_atomicenvironment

    mapper = {element.encode(): index for index, element in enumerate(elements)}
    return aseatoms_to_atomicenvironment(right_handed(atoms), cutoff=cutoff, elements_mapper_dict=mapper)


def unfolded(env: Any) -> tuple[Any, np.ndarray]:
    """Turn ghost atoms into atoms, so that each collects its own forces.

    The virial of single basis functions needs these. The ghosts have no neighbors: they add no energy, and the forces
    on them are separate, so that sums over position times force are exact in a periodic cell.

    Parameters
    ----------
    env
        Environment whose ghost atoms are mapped onto their originals.

    Returns
    -------
    env : pyace.ACEAtomicEnvironment
        The unfolded environment.
    origins : ndarray of int, shape (n_extended,)
        Index of the original of each atom.
    """
    pyace = load_pyace()
    extended = env.n_atoms_extended
    free = pyace.ACEAtomicEnvironment()
    free.x = env.x
    free.species_type = env.species_type
    free.neighbour_list = list(env.neighbour_list[: env.n_atoms_real]) + [
        [] for _ in range(extended - env.n_atoms_real)
    ]
    free.origins = list(range(extended))
    free.n_atoms_real = extended
    free.n_atoms_extended = extended
    return free, np.array(env.origins, dtype=int)
