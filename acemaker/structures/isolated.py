"""Isolated atoms, whose energies are the reference energies of a potential."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, ground_state_magnetic_moments

from acemaker.structures.geometry import pairs

STRETCH = (1.0, 1.01, 1.02)
"""Ratios of the edges of the box: a cubic one leaves the orbitals of an open shell degenerate, which hinders an SCF."""


def isolated_atom(symbol: str, edge: float, *, periodic: bool, polarized: bool = False) -> Atoms:
    """Return one atom in the middle of a box.

    Parameters
    ----------
    symbol
        Chemical symbol.
    edge
        Å, shortest edge of the box, whose edges differ slightly.
    periodic
        Whether the box is periodic; otherwise its size matters only to calculators that need a box.
    polarized
        Whether the atom has the magnetic moment of its ground state as initial moment.

    Returns
    -------
    Atoms

    Examples
    --------
    >>> from acemaker.structures.isolated import isolated_atom
    >>> isolated_atom("Fe", 12.0, periodic=True, polarized=True).get_initial_magnetic_moments().tolist()
    [4.0]
    >>> isolated_atom("Fe", 12.0, periodic=False).cell.lengths().tolist()
    [12.0, 12.12, 12.24]
    """
    atoms = Atoms(symbol, cell=[round(edge * ratio, 6) for ratio in STRETCH], pbc=periodic)
    atoms.center()
    moment = float(ground_state_magnetic_moments[atomic_numbers[symbol]]) if polarized else 0.0
    if moment:
        atoms.set_initial_magnetic_moments([moment])
    return atoms


def neighbor_counts(atoms: Atoms, reach: float) -> np.ndarray:
    """Count the neighbors of each atom, including periodic images.

    Parameters
    ----------
    atoms
        Structure, fully periodic or not at all.
    reach
        Å.

    Returns
    -------
    ndarray of int, shape (n_atoms,)

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker.structures.isolated import neighbor_counts
    >>> neighbor_counts(bulk("Cu"), 3.0).tolist()
    [12]
    """
    counts: np.ndarray = np.bincount(pairs(atoms, reach)[0], minlength=len(atoms))
    return counts
