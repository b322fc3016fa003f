"""The protocol of an oracle, and an oracle that uses an ASE calculator."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import OracleConfig
from acemaker.oracles.checks import check_geometry, check_label
from acemaker.oracles.factory import CalculatorFactory, calculator_factory
from acemaker.oracles.output_messages import diagnose_output
from acemaker.structures.computed import forces_of, stress_of


class Oracle(Protocol):
    """Protocol of an object that labels structures."""

    def label(self, atoms: Atoms) -> Atoms:
        """Return a copy with energy (eV), forces (eV/Å) and, if available, stress (eV/Å^3).

        Raises
        ------
        OracleError
            If the calculation fails or its result is implausible.
        """


class CalculatorOracle:
    """Oracle that creates a new ASE calculator for each label, so that labels do not depend on earlier ones.

    Parameters
    ----------
    factory
        Callable that returns the calculator.
    max_force
        Maximum force component in eV/Å; a label with a larger force is rejected.
    max_net_force
        Maximum norm of the sum of forces in eV/Å per atom; a label with a larger sum is rejected.
    min_distance
        Minimum pair distance as a fraction of the sum of covalent radii; closer atoms are not labeled.
    folder
        Folder in which the calculator's program runs and in which its output is searched for error messages; None if
        it has no folder.
    """

    def __init__(
        self,
        factory: CalculatorFactory,
        max_force: float,
        max_net_force: float = float("inf"),
        min_distance: float = 0.0,
        folder: Path | None = None,
    ) -> None:
        self._factory = factory
        self._max_force = max_force
        self._max_net_force = max_net_force
        self._min_distance = min_distance
        self._folder = folder

    @classmethod
    def from_config(
        cls, config: OracleConfig, elements: tuple[str, ...], folder: Path | None = None
    ) -> CalculatorOracle:
        """Create the configured oracle in this process, regardless of ``label_process``."""
        factory = calculator_factory(config, elements)
        return cls(factory, config.max_force, config.max_net_force, config.min_label_distance, folder)

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure.

        Parameters
        ----------
        atoms
            The structure; it is not changed.

        Returns
        -------
        Atoms
            A copy whose calculator holds the results. The energy is consistent with the forces, i.e. the free energy in
            case of smearing.

        Raises
        ------
        OracleError
            If the structure is impossible, the calculator raises, or its result is not finite or implausible.
        """
        check_geometry(atoms, self._min_distance)
        work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        try:
            calculator = self._factory()
            work.calc = calculator
            consistent = "free_energy" in calculator.implemented_properties
            results: dict[str, float | np.ndarray] = {
                "energy": float(work.get_potential_energy(force_consistent=consistent)),
                "forces": forces_of(work),
            }
            if work.pbc.all() and "stress" in calculator.implemented_properties:
                # some classes list a stress that is not implemented for all settings: train without it
                with contextlib.suppress(PropertyNotImplementedError):
                    results["stress"] = stress_of(work)
        except Exception as error:  # a user's calculator can raise anything
            raise diagnose_output(error, self._folder) from error
        labeled = with_results(work, results)
        check_label(labeled, self._max_force, self._max_net_force)
        return labeled


def with_results(atoms: Atoms, results: dict[str, float | np.ndarray]) -> Atoms:
    """Return a copy of a structure (symbols, positions, cell and periodicity) with the results of a calculation."""
    labeled = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    labeled.calc = SinglePointCalculator(labeled, **results)
    return labeled
