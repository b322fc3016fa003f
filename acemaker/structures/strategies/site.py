"""Where candidates are made, and the protocol of what makes them."""

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


@dataclass(frozen=True, kw_only=True)
class Site:
    """The place around which candidates are made.

    Attributes
    ----------
    structure : Atoms
        The anchor, read-only: symbols, positions, cell and periodicity, and its mask where it is an embedded cell.
    epicentre : ndarray of int, shape (n_epicentre,)
        The atoms that candidates are about, worst first; never empty.
    region : ndarray of int, shape (n_region,)
        The epicentre and its surroundings, ascending: what may move. Of an embedded cell core atoms alone.
    temperature : float
        K, of the trajectory where it halted.
    calculator : callable
        Makes an ASE calculator of the current potential: energy in eV, forces in eV/Å, and, where the potential
        knows it, each atom's ``results["gamma"]``. Loading it takes a moment, so ask only if you need it.
    """

    structure: Atoms
    epicentre: np.ndarray
    region: np.ndarray
    temperature: float
    calculator: Callable[[], BaseCalculator]

    @classmethod
    def around(
        cls,
        structure: Atoms,
        epicentre: np.ndarray,
        *,
        radius: float,
        temperature: float,
        calculator: Callable[[], BaseCalculator],
    ) -> Site:
        """Mark the surroundings of an epicentre.

        Parameters
        ----------
        structure
            The anchor, with ``arrays["gamma"]`` where there is one.
        epicentre : ndarray of int, shape (n_epicentre,)
            Worst first. Where it is empty, the atom with the largest gamma takes its place, and without gamma
            every atom.
        radius
            Å, around each of its atoms, periodic images included.
        temperature
            K.
        calculator
            Makes a calculator of the current potential.

        Returns
        -------
        Site
        """
        gamma = structure.arrays.get("gamma")
        if not len(epicentre):
            epicentre = np.arange(len(structure)) if gamma is None else np.array([gamma.argmax()])
        bare = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
        first, second, _ = pairs(structure, radius)
        region = np.union1d(epicentre, second[np.isin(first, epicentre)])
        mask = mask_of(structure)
        if mask is not None:  # what does not count is not worth moving
            region = region[mask[region]]
        return cls(
            structure=frozen(with_mask_of(structure, bare)),
            epicentre=read_only(epicentre, int),
            region=read_only(region, int),
            temperature=temperature,
            calculator=calculator,
        )

    def nearest(self, n: int) -> np.ndarray:
        """Return the atoms of the region that are nearest to the worst one.

        Parameters
        ----------
        n
            How many at most.

        Returns
        -------
        ndarray of int, shape (at most n,)
            Nearest first, the worst atom itself included.
        """
        periodic = bool(self.structure.pbc.any())
        distances = self.structure.get_distances(self.epicentre[0], self.region, mic=periodic)
        nearest: np.ndarray = self.region[np.argsort(distances, kind="stable")[:n]]
        return nearest


class Strategy(Protocol):
    """What makes candidates: a generator function, as a rule."""

    def __call__(self, site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
        """Make one candidate after another, until nobody asks for more or there are none left.

        Parameters
        ----------
        site
            Where. Its structure is read-only; change copies of it.
        config
            How far.
        rng
            The only source of chance, so that a campaign can be repeated.

        Returns
        -------
        iterator of Atoms
            New structures. Those that are unphysical, known already, or not worth a label are sorted out later.
        """
