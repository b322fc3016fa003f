"""Properties of the atoms of the initial structure that every copy of it carries: frozen atoms, moments, masses.

``arrays["frozen"]`` is True for atoms that never move, ``arrays["initial_magmoms"]`` is the magnetic moment with which
an oracle starts (Bohr magnetons), and ``arrays["masses"]`` are masses other than those of the elements (u). An array
that says nothing (no frozen atom, no moment, standard masses) is absent. Frozen atoms are not an ASE constraint, since
ASE applies constraints to the forces of a structure, also to those of labels.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

FROZEN = "frozen"
MOMENTS = "initial_magmoms"
MASSES = "masses"

PER_ATOM = (FROZEN, MOMENTS, MASSES)
"""Names of the arrays that are copied with a structure."""


def bare_copy(atoms: Atoms) -> Atoms:
    """Copy symbols, positions, cell, periodicity and the arrays of `PER_ATOM`, and nothing else.

    Parameters
    ----------
    atoms
        The structure; results, momenta, constraints and other arrays are not copied.

    Returns
    -------
    Atoms

    Examples
    --------
    >>> from ase.build import bulk
    >>> iron = bulk("Fe", cubic=True)
    >>> iron.set_initial_magnetic_moments([2.5, -2.5])
    >>> bare_copy(iron).get_initial_magnetic_moments().tolist()
    [2.5, -2.5]
    """
    return with_per_atom(atoms, Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))


def with_per_atom(source: Atoms, atoms: Atoms, indices: np.ndarray | None = None) -> Atoms:
    """Give a structure the arrays of `PER_ATOM` of another one.

    Parameters
    ----------
    source
        The structure that has the arrays, or not.
    atoms
        The structure that gets them; it is changed.
    indices : ndarray of int, shape (len(atoms),), optional
        Atom of `source` that corresponds to each atom; None if both have the same atoms in the same order.

    Returns
    -------
    Atoms
        `atoms` itself.
    """
    for name in PER_ATOM:
        values = source.arrays.get(name)
        if values is None:
            continue
        values = values if indices is None else values[indices]
        if values.any():
            atoms.arrays[name] = values.copy()
    return atoms


def frozen_atoms(atoms: Atoms) -> np.ndarray:
    """Return which atoms are frozen.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    ndarray of bool, shape (n_atoms,)
        All False if no atom is.
    """
    frozen = atoms.arrays.get(FROZEN)
    return np.zeros(len(atoms), dtype=bool) if frozen is None else np.asarray(frozen, dtype=bool)
