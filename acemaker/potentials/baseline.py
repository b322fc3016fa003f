"""Baselines: inexpensive potentials to which the ACE is fitted as a correction (delta learning)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.structures.computed import energy_of, forces_of, stress_of


class Baseline(ABC):
    """A potential that is evaluated together with an ACE and added to it.

    Attributes
    ----------
    files : mapping of str to Path
        Files that the baseline needs, by file names without special characters, which LAMMPS accepts unquoted.
    """

    files: Mapping[str, Path]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the baseline in a summary."""

    @property
    @abstractmethod
    def in_lammps(self) -> bool:
        """Whether LAMMPS evaluates the baseline itself; otherwise the code that evaluates the ACE adds it."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Return the entry in the ``.json`` of a generation, whose directory contains the files."""

    @abstractmethod
    def copy_to(self, directory: Path) -> Self:
        """Copy the files to a directory, except those that are already there."""

    @abstractmethod
    def commands(
        self, above: str, above_coeff: str = "", *, quote: Callable[[Path], str] | None = None
    ) -> tuple[str, ...]:
        """Return the LAMMPS commands for a potential together with the baseline.

        Parameters
        ----------
        above
            ``pair_style`` arguments of the potential.
        above_coeff
            Its ``pair_coeff`` arguments after ``* *`` and the style.
        quote
            Formats the path of a potential file; None if the files are in the working directory of LAMMPS.

        Returns
        -------
        tuple of str
        """

    @abstractmethod
    def evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Evaluate the baseline alone on a structure.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

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
            If the evaluation fails.
        """

    def energies(self, structures: Sequence[Atoms]) -> np.ndarray:
        """Return the energies of structures that differ only in their positions and cells, eV, shape (n,)."""
        return np.array([self.evaluate(atoms)[0] for atoms in structures])

    def subtract(self, atoms: Atoms) -> Atoms:
        """Return a label minus the baseline: the target of the ACE.

        Parameters
        ----------
        atoms
            Structure with energy, forces and, where the oracle returned one, stress.
        """
        energy, forces, virial = self.evaluate(atoms)
        target = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        results = {"energy": energy_of(atoms) - energy, "forces": forces_of(atoms) - forces}
        if atoms.calc is not None and "stress" in atoms.calc.results:
            results["stress"] = stress_of(atoms) - full_3x3_to_voigt_6_stress(virial / atoms.get_volume())
        target.calc = SinglePointCalculator(target, **results)
        return target
