"""The oracle's protocol, and the one that asks an ASE calculator."""

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
from acemaker.oracles.output_messages import explain
from acemaker.structures.computed import forces_of, stress_of


class Oracle(Protocol):
    """What labels a structure."""

    def label(self, atoms: Atoms) -> Atoms:
        """Return a copy with energy (eV), forces (eV/Å) and, where there is one, stress (eV/Å^3).

        Raises
        ------
        OracleError
            If there is no credible label.
        """


class CalculatorOracle:
    """Asks a fresh ASE calculator for each label, so that none depends on the one before.

    Parameters
    ----------
    factory
        Makes the calculator.
    max_force
        eV/Å; a label with a larger force is taken to be wrong.
    max_net_force
        eV/Å per atom; likewise for what the forces add up to.
    least_distance
        Share of the sum of covalent radii; a structure with closer atoms is not labelled.
    folder
        Where the calculator's program runs, if it has a folder of its own: its words are looked for there.
    """

    def __init__(
        self,
        factory: CalculatorFactory,
        max_force: float,
        max_net_force: float = float("inf"),
        least_distance: float = 0.0,
        folder: Path | None = None,
    ) -> None:
        self._factory = factory
        self._max_force = max_force
        self._max_net_force = max_net_force
        self._least_distance = least_distance
        self._folder = folder

    @classmethod
    def from_config(
        cls, config: OracleConfig, elements: tuple[str, ...], folder: Path | None = None
    ) -> CalculatorOracle:
        """Make the oracle that the configuration names, in this process whatever the configuration says."""
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
            A copy whose calculator holds the results. The energy is the one that the forces belong to:
            with smearing, the free energy.

        Raises
        ------
        OracleError
            If the structure is impossible, the calculator raises, or its answer is not finite or absurd.
        """
        check_geometry(atoms, self._least_distance)
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
                # some classes promise a stress that these settings do not give: train without it
                with contextlib.suppress(PropertyNotImplementedError):
                    results["stress"] = stress_of(work)
        except Exception as error:  # whatever a user's calculator raises
            raise explain(error, self._folder) from error
        labelled = with_results(work, results)
        check_label(labelled, self._max_force, self._max_net_force)
        return labelled


def with_results(atoms: Atoms, results: dict[str, float | np.ndarray]) -> Atoms:
    """Return a copy of symbols, positions, cell and periodicity with results of a calculation."""
    labelled = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    labelled.calc = SinglePointCalculator(labelled, **results)
    return labelled
