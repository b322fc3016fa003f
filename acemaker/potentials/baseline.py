"""A baseline: a cheap potential under the ACE, which then learns the difference (delta learning)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.structures.computed import energy_of, forces_of, stress_of


class Baseline(ABC):
    """What runs under an ACE.

    Attributes
    ----------
    files : mapping of str to Path
        What it needs, by names that LAMMPS can be given anywhere.
    """

    files: Mapping[str, Path]

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in a summary."""

    @property
    @abstractmethod
    def in_lammps(self) -> bool:
        """Whether LAMMPS adds it by itself; else whoever evaluates the ACE does."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Describe it for a generation's ``.json``, beside which its files lie."""

    @abstractmethod
    def kept_in(self, directory: Path) -> Self:
        """Copy its files into a directory, unless they are there."""

    @abstractmethod
    def commands(
        self, above: str, above_coeff: str = "", *, quote: Callable[[Path], str] | None = None
    ) -> tuple[str, ...]:
        """Write LAMMPS's commands for a potential and what LAMMPS adds to it.

        Parameters
        ----------
        above
            ``pair_style``'s arguments of that potential.
        above_coeff
            Its ``pair_coeff`` arguments after ``* *`` and the style.
        quote
            Writes the path of a potential file; None to name files that lie in LAMMPS's working directory.

        Returns
        -------
        tuple of str
        """

    @abstractmethod
    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate a structure by itself.

        Parameters
        ----------
        atoms
            Fully periodic or not at all.

        Returns
        -------
        energy : float
            eV.
        forces : ndarray, shape (n_atoms, 3)
            eV/Å.
        virial : ndarray, shape (3, 3)
            Stress times volume, eV; zero for a cluster.

        Raises
        ------
        EngineError
            If it cannot.
        """

    def subtract(self, atoms: Atoms) -> Atoms:
        """Return a label without the baseline's part: what the ACE is to learn.

        Parameters
        ----------
        atoms
            With energy, forces and, where the oracle gave one, stress.
        """
        energy, forces, virial = self.evaluate(atoms)
        rest = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        results = {"energy": energy_of(atoms) - energy, "forces": forces_of(atoms) - forces}
        if atoms.calc is not None and "stress" in atoms.calc.results:
            results["stress"] = stress_of(atoms) - full_3x3_to_voigt_6_stress(virial / atoms.get_volume())
        rest.calc = SinglePointCalculator(rest, **results)
        return rest
