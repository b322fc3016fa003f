"""LAMMPS's neighbour list as pyace's environment."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from acemaker.potentials.pyace_library import load_pyace

INT_SIZE = ctypes.sizeof(ctypes.c_int)

NEIGHBOUR_MASK = 0x1FFFFFFF
"""Clears the bits that LAMMPS keeps in neighbour indices."""


class NeighbourEnvironment:
    """Keeps a pyace environment in step with LAMMPS.

    Positions change at every step. Lists change when LAMMPS rebuilds its own, which its counter of builds
    tells; comparing atoms or ghosts would not, since a list can be rebuilt with the same ones.

    Parameters
    ----------
    lmp
        A LAMMPS with ``pair_style zero ... full``.
    n_shares
        How many processes share the atoms out; the environment is that of the first share.

    Attributes
    ----------
    builds : int
        How often the lists have been read.
    positions : ndarray, shape (n_all, 3)
        Å, ghosts included.
    shares : list of SharedLists
        Those of the other shares, as of the last build.
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

    def forget(self) -> None:
        """Read the lists anew at the next call: a new ``run`` builds them without counting."""
        self._environment = None

    def refresh(self, nlocal: int) -> None:
        """Take over LAMMPS's positions, and its lists where they are new.

        Parameters
        ----------
        nlocal
            Atoms without ghosts.
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
            # four times as fast as asking for arrays
            atom, count, pointer = lmp.get_neighlist_element_neighbors(index, entry)
            lists[atom] = ctypes.string_at(pointer, INT_SIZE * count)
        counts = np.array([len(one) // INT_SIZE for one in lists], dtype=int)
        neighbours = np.frombuffer(b"".join(lists), dtype=np.intc) & NEIGHBOUR_MASK
        types = lmp.numpy.extract_atom("type")[:n_all] - 1
        return share_out(counts, neighbours, types, local_of_tag[tags], self._n_shares)


@dataclass(frozen=True, kw_only=True)
class SharedLists:
    """The neighbour lists of a share of the atoms; those of the others are empty.

    An atom without neighbours costs next to nothing and contributes nothing, so that the sum of energies,
    forces and virials over the shares is that of the whole.

    Attributes
    ----------
    n_local : int
        Atoms without ghosts.
    types, origins : ndarray of int, shape (n_all,)
        Elements by number, and the local atom of which each is an image.
    counts : ndarray of int, shape (n_local,)
        Neighbours of each atom of the share; 0 for others.
    neighbours : ndarray of int, shape (n_pairs,)
        Their indices, atom after atom.
    """

    n_local: int
    types: np.ndarray
    origins: np.ndarray
    counts: np.ndarray
    neighbours: np.ndarray

    def environment(self) -> Any:
        """Make a pyace environment, without positions."""
        environment = load_pyace().ACEAtomicEnvironment()
        environment.n_atoms_real = self.n_local
        environment.n_atoms_extended = len(self.types)
        environment.species_type = self.types.tolist()
        environment.origins = self.origins.tolist()
        flat, ends = self.neighbours.tolist(), np.cumsum(self.counts).tolist()
        environment.neighbour_list = [flat[start:end] for start, end in pairwise([0, *ends])]
        return environment


def share_out(
    counts: np.ndarray, neighbours: np.ndarray, types: np.ndarray, origins: np.ndarray, n_shares: int
) -> list[SharedLists]:
    """Divide the atoms into shares with about the same number of pairs.

    Parameters
    ----------
    counts : ndarray of int, shape (n_local,)
        Neighbours of each atom.
    neighbours : ndarray of int, shape (n_pairs,)
        Their indices, atom after atom.
    types, origins : ndarray of int, shape (n_all,)
        As in `SharedLists`.
    n_shares
        How many.

    Returns
    -------
    list of SharedLists
    """
    ends = np.cumsum(counts)
    marks = len(neighbours) * np.arange(1, n_shares) / n_shares
    cuts = [0, *np.searchsorted(ends, marks, side="right").tolist(), len(counts)]
    shares = []
    for start, end in pairwise(cuts):
        first, last = (int(ends[cut - 1]) if cut else 0 for cut in (start, end))
        own = np.zeros_like(counts)
        own[start:end] = counts[start:end]
        shares.append(
            SharedLists(
                n_local=len(counts), types=types, origins=origins, counts=own, neighbours=neighbours[first:last]
            )
        )
    return shares
