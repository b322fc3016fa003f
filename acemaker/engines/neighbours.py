"""LAMMPS's neighbour list as pyace's environment."""

from __future__ import annotations

from typing import Any

import numpy as np

from acemaker.potentials.pyace_library import load_pyace

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

    Attributes
    ----------
    builds : int
        How often the lists have been read.
    """

    def __init__(self, lmp: Any) -> None:
        self._lmp = lmp
        self._environment: Any = None
        self._counter = -1.0
        self.builds = 0

    def forget(self) -> None:
        """Read the lists anew at the next call: a new ``run`` builds them without counting."""
        self._environment = None

    def update(self, nlocal: int) -> Any:
        """Bring the environment up to date.

        Parameters
        ----------
        nlocal
            Atoms without ghosts.

        Returns
        -------
        pyace.ACEAtomicEnvironment
        """
        counter = self._lmp.get_thermo("nbuild")
        if self._environment is None or counter != self._counter:
            self._environment = self._read(nlocal)
            self._counter = counter
            self.builds += 1
        n_all = self._environment.n_atoms_extended
        self._environment.x = self._lmp.numpy.extract_atom("x")[:n_all].tolist()
        return self._environment

    def _read(self, nlocal: int) -> Any:
        lmp = self._lmp
        n_all = nlocal + lmp.extract_setting("nghost")
        tags = lmp.numpy.extract_atom("id")[:n_all]
        local_of_tag = np.empty(int(tags[:nlocal].max(initial=0)) + 1, dtype=int)
        local_of_tag[tags[:nlocal]] = np.arange(nlocal)
        lists: list[list[int]] = [[] for _ in range(nlocal)]
        index = lmp.find_pair_neighlist("zero")
        for entry in range(lmp.get_neighlist_size(index)):
            atom, neighbours = lmp.numpy.get_neighlist_element_neighbors(index, entry)
            lists[atom] = (neighbours & NEIGHBOUR_MASK).tolist()
        environment = load_pyace().ACEAtomicEnvironment()
        environment.n_atoms_real = nlocal
        environment.n_atoms_extended = n_all
        environment.species_type = (lmp.numpy.extract_atom("type")[:n_all] - 1).tolist()
        environment.origins = local_of_tag[tags].tolist()
        environment.neighbour_list = lists
        return environment
