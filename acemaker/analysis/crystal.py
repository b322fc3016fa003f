"""The crystal behind a campaign's structure, if there is one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.errors import MissingLibraryError, StructureError

SYMPREC = 0.01
"""Å, by which atoms may be off their sites."""

LARGEST = 24
"""Atoms of a primitive cell; what has more has no lattice that a handful of labels could tell of."""

VACUUM = 6.0
"""Å without atoms along a lattice vector, from which on a structure is a surface or a wire."""


@dataclass(frozen=True, kw_only=True)
class Crystal:
    """A crystal in its standard orientation.

    Attributes
    ----------
    primitive : Atoms
        Its primitive cell.
    repeats : ndarray of int, shape (3, 3)
        The conventional cell's vectors in those of the primitive one, in rows.
    space_group : int
        Number in the International Tables.
    symbol : str
        Its symbol.
    kinds : int
        Of sites that symmetry does not map on each other.
    """

    primitive: Atoms
    repeats: np.ndarray
    space_group: int
    symbol: str
    kinds: int

    @property
    def n_atoms(self) -> int:
        """Atoms of the primitive cell."""
        return len(self.primitive)

    def supercell(self, shortest: float) -> np.ndarray:
        """Repeat the conventional cell until its faces are far enough apart.

        Parameters
        ----------
        shortest
            Å, between opposite faces.

        Returns
        -------
        ndarray of int, shape (3, 3)
            The supercell's vectors in the primitive ones, in rows.
        """
        cell = self.repeats @ self.primitive.cell.array
        heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
        repeats: np.ndarray = np.diag(np.maximum(np.ceil(shortest / heights - 1e-3), 1).astype(int)) @ self.repeats
        return repeats


def find_crystal(atoms: Atoms) -> Crystal:
    """Find the crystal of which a structure consists.

    Parameters
    ----------
    atoms
        The structure with which a trajectory starts.

    Returns
    -------
    Crystal

    Raises
    ------
    StructureError
        Where there is none; says why.
    MissingLibraryError
        Without spglib.
    """
    if not atoms.pbc.all():
        raise StructureError("the structure is not periodic: there is no crystal")
    gap = _gap(atoms)
    if gap > VACUUM:
        raise StructureError(f"the structure has {gap:.1f} Å of vacuum: a surface, wire or cluster is no crystal")
    try:
        import spglib
    except ImportError as error:
        raise MissingLibraryError(
            f"the primitive cell is found by spglib ({error}); pip install 'acemaker[physics]'"
        ) from error
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():  # 2.8 deprecates that failures are None, which they still are by default
        warnings.simplefilter("ignore", DeprecationWarning)
        dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
        found = [spglib.standardize_cell(cell, to_primitive=primitive, symprec=SYMPREC) for primitive in (True, False)]
        smallest = None if found[0] is None else spglib.get_symmetry_dataset(found[0], symprec=SYMPREC)
    if dataset is None or smallest is None or found[1] is None:
        raise StructureError("spglib finds no symmetry in the structure: there is no crystal")
    (vectors, places, numbers), (conventional, _, _) = found
    if len(numbers) > LARGEST:
        raise StructureError(
            f"the smallest cell that repeats has {len(numbers)} atoms ({LARGEST} at most are taken): a random alloy, a "
            "liquid or a rattled crystal has no primitive cell"
        )
    repeats = np.round(conventional @ np.linalg.inv(vectors)).astype(int)
    primitive = Atoms(numbers, scaled_positions=places, cell=vectors, pbc=True)
    return Crystal(
        primitive=primitive,
        repeats=repeats,
        space_group=int(dataset.number),
        symbol=str(dataset.international),
        kinds=len(set(smallest.equivalent_atoms)),
    )


def _gap(atoms: Atoms) -> float:
    """Return the widest stretch without atoms along a lattice vector, Å."""
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    places = np.sort(atoms.get_scaled_positions(wrap=True), axis=0)
    gaps = np.diff(np.vstack([places, places[:1] + 1]), axis=0).max(axis=0)
    return float((gaps * heights).max())
