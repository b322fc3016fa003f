"""Conversion of LAMMPS's neighbor list to a pyace environment."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from acemaker.potentials.pyace_library import load_pyace

INT_SIZE = ctypes.sizeof(ctypes.c_int)

NEIGHBOR_MASK = 0x1FFFFFFF
"""Clears the upper bits of neighbor indices, in which LAMMPS stores flags."""


class NeighborEnvironment:
    """Synchronizes a pyace environment with LAMMPS.

    Positions change at every step. Lists change when LAMMPS rebuilds its own, which is detected by its counter of
    builds; a comparison of atoms or ghosts would not suffice, since a list can be rebuilt for the same atoms.

    Parameters
    ----------
    lmp
        LAMMPS instance with ``pair_style zero ... full``.
    n_shares
        Number of processes among which the atoms are divided; the environment is that of the first share.

    Attributes
    ----------
    builds : int
        How often the lists have been read.
    positions : ndarray, shape (n_all, 3)
        Å, ghosts included.
    shares : list of SharedLists
        Lists of the other shares, as of the last build.
    """

    def __init__(self, lmp: Any, n_shares: int = 1) -> None:
        self._lmp = lmp
        self._n_shares = n_shares
        self._environment: Any = None
        self._n_all = 0
        self._counter = -1.0
        self.builds = 0
        self.positions = np.zeros((0, 3))
        self.shares: list[SharedLists] = []

    def invalidate(self) -> None:
        """Read the lists again at the next call, since a new ``run`` builds them without increasing the counter."""
        self._environment = None

    def refresh(self, nlocal: int) -> None:
        """Read LAMMPS's positions, and its lists if they have been rebuilt.

        Parameters
        ----------
        nlocal
            Number of atoms without ghosts.
        """
        counter = self._lmp.get_thermo("nbuild")
        if self._environment is None or counter != self._counter:
            own, *self.shares = self._read(nlocal)
            self._environment = own.environment()
            self._n_all = len(own.types)
            self._counter = counter
            self.builds += 1
        self.positions = self._lmp.numpy.extract_atom("x")[: self._n_all]

    def environment(self) -> Any:
        """Return the first share as a pyace environment, ``pyace.ACEAtomicEnvironment``."""
        self._environment.x = self.positions.tolist()
        return self._environment

    def _read(self, nlocal: int) -> list[SharedLists]:
        lmp = self._lmp
        n_all = nlocal + lmp.extract_setting("nghost")
        tags = lmp.numpy.extract_atom("id")[:n_all]
        local_of_tag = np.empty(int(tags[:nlocal].max(initial=0)) + 1, dtype=int)
        local_of_tag[tags[:nlocal]] = np.arange(nlocal)
        lists = [b""] * nlocal
        index = lmp.find_pair_neighlist("zero")
        for entry in range(lmp.get_neighlist_size(index)):
            # four times as fast as reading arrays
            atom, count, pointer = lmp.get_neighlist_element_neighbors(index, entry)
            lists[atom] = ctypes.string_at(pointer, INT_SIZE * count)
        counts = np.array([len(neighbor_list) // INT_SIZE for neighbor_list in lists], dtype=int)
        neighbors = np.frombuffer(b"".join(lists), dtype=np.intc) & NEIGHBOR_MASK
        types = lmp.numpy.extract_atom("type")[:n_all] - 1
        return split_atoms(counts, neighbors, types, local_of_tag[tags], self._n_shares)


@dataclass(frozen=True, kw_only=True)
class SharedLists:
    """Neighbor lists of a share of the atoms; the lists of all other atoms are empty.

    An atom without neighbors costs almost no time and contributes nothing, so that energies, forces and virials of the
    shares add up to those of all atoms.

    Attributes
    ----------
    n_local : int
        Number of atoms without ghosts.
    types, origins : ndarray of int, shape (n_all,)
        Index of each atom's element, and index of the local atom of which it is an image.
    counts : ndarray of int, shape (n_local,)
        Number of neighbors of each atom of the share; 0 for others.
    neighbors : ndarray of int, shape (n_pairs,)
        Indices of the neighbors, concatenated over the atoms.
    """

    n_local: int
    types: np.ndarray
    origins: np.ndarray
    counts: np.ndarray
    neighbors: np.ndarray

    def environment(self) -> Any:
        """Return a pyace environment without positions."""
        environment = load_pyace().ACEAtomicEnvironment()
        environment.n_atoms_real = self.n_local
        environment.n_atoms_extended = len(self.types)
        environment.species_type = self.types.tolist()
        environment.origins = self.origins.tolist()
        flat, ends = self.neighbors.tolist(), np.cumsum(self.counts).tolist()
        environment.neighbour_list = [flat[start:end] for start, end in pairwise([0, *ends])]
        return environment


def split_atoms(
    counts: np.ndarray, neighbors: np.ndarray, types: np.ndarray, origins: np.ndarray, n_shares: int
) -> list[SharedLists]:
    """Divide the atoms into shares with about the same number of pairs.

    Parameters
    ----------
    counts : ndarray of int, shape (n_local,)
        Number of neighbors of each atom.
    neighbors : ndarray of int, shape (n_pairs,)
        Indices of the neighbors, concatenated over the atoms.
    types, origins : ndarray of int, shape (n_all,)
        As in `SharedLists`.
    n_shares
        Number of shares.

    Returns
    -------
    list of SharedLists
    """
    ends = np.cumsum(counts)
    marks = len(neighbors) * np.arange(1, n_shares) / n_shares
    cuts = [0, *np.searchsorted(ends, marks, side="right").tolist(), len(counts)]
    shares = []
    for start, end in pairwise(cuts):
        first, last = (int(ends[cut - 1]) if cut else 0 for cut in (start, end))
        share_counts = np.zeros_like(counts)
        share_counts[start:end] = counts[start:end]
        shares.append(
            SharedLists(
                n_local=len(counts),
                types=types,
                origins=origins,
                counts=share_counts,
                neighbors=neighbors[first:last],
            )
        )
    return shares
