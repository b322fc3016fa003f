"""The site around which candidates are generated, and the protocol of strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.config import OTFConfig
from acemaker.formatting.record import frozen, read_only
from acemaker.structures.geometry import pairs
from acemaker.structures.mask import mask_of, with_mask_of
from acemaker.structures.per_atom import bare_copy, frozen_atoms


@dataclass(frozen=True, kw_only=True)
class Site:
    """The site around which candidates are generated.

    Attributes
    ----------
    structure : Atoms
        The halted structure, read-only: symbols, positions, cell, periodicity, and the mask of an embedded cell.
    epicenter : ndarray of int, shape (n_epicenter,)
        Indices of the central atoms, the one with the largest gamma first; never empty.
    region : ndarray of int, shape (n_region,)
        Indices of the atoms that may move, ascending: the epicenter and its surroundings, without frozen atoms. In an
        embedded cell only core atoms. Empty if all of them are frozen.
    temperature : float
        K, temperature of the trajectory at the halt.
    calculator : callable
        Creates an ASE calculator of the current potential: energy in eV, forces in eV/Å and, if the potential has it,
        gamma of each atom as ``results["gamma"]``. Loading it takes time, so call this only if needed.
    """

    structure: Atoms
    epicenter: np.ndarray
    region: np.ndarray
    temperature: float
    calculator: Callable[[], BaseCalculator]

    @classmethod
    def around(
        cls,
        structure: Atoms,
        epicenter: np.ndarray,
        *,
        radius: float,
        temperature: float,
        calculator: Callable[[], BaseCalculator],
    ) -> Site:
        """Create a site from an epicenter and the atoms around it.

        Parameters
        ----------
        structure
            The halted structure, optionally with ``arrays["gamma"]``.
        epicenter : ndarray of int, shape (n_epicenter,)
            Indices, largest gamma first. If empty, the atom with the largest gamma is used, and without gamma all atoms
            are.
        radius
            Å, around each atom of the epicenter, including periodic images.
        temperature
            K.
        calculator
            Creates a calculator of the current potential.

        Returns
        -------
        Site
        """
        gamma = structure.arrays.get("gamma")
        if not len(epicenter):
            epicenter = np.arange(len(structure)) if gamma is None else np.array([gamma.argmax()])
        bare = bare_copy(structure)
        first, second, _ = pairs(structure, radius)
        region = np.union1d(epicenter, second[np.isin(first, epicenter)])
        mask = mask_of(structure)
        if mask is not None:  # moving masked atoms adds no information
            region = region[mask[region]]
        region = region[~frozen_atoms(structure)[region]]
        return cls(
            structure=frozen(with_mask_of(structure, bare)),
            epicenter=read_only(epicenter, int),
            region=read_only(region, int),
            temperature=temperature,
            calculator=calculator,
        )

    def nearest(self, n: int) -> np.ndarray:
        """Return the atoms of the region that are nearest to the first atom of the epicenter.

        Parameters
        ----------
        n
            Maximum number of atoms.

        Returns
        -------
        ndarray of int, shape (at most n,)
            Indices, nearest first, including the first atom of the epicenter unless it is frozen.
        """
        if not len(self.region):
            return self.region
        periodic = bool(self.structure.pbc.any())
        distances = self.structure.get_distances(self.epicenter[0], self.region, mic=periodic)
        nearest: np.ndarray = self.region[np.argsort(distances, kind="stable")[:n]]
        return nearest


class Strategy(Protocol):
    """Strategy that generates candidates, usually a generator function."""

    def __call__(self, site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
        """Generate candidates one after another; the iterator may be infinite.

        Parameters
        ----------
        site
            The site. Its structure is read-only; change copies of it.
        config
            Size of the displacements and other settings.
        rng
            Random numbers; use no other source, so that a campaign can be repeated.

        Returns
        -------
        iterator of Atoms
            New structures. Unphysical structures, duplicates and structures not worth a label are filtered out later.
        """
