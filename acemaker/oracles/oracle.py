"""The oracle's protocol, and the one that asks an ASE calculator."""

from __future__ import annotations

import contextlib
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import OracleConfig
from acemaker.errors import OracleError
from acemaker.oracles.factory import CalculatorFactory, calculator_factory


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
    """

    def __init__(self, factory: CalculatorFactory, max_force: float) -> None:
        self._factory = factory
        self._max_force = max_force

    @classmethod
    def from_config(cls, config: OracleConfig, elements: tuple[str, ...]) -> CalculatorOracle:
        """Make the oracle that the configuration names."""
        return cls(calculator_factory(config, elements), config.max_force)

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
            If the calculator raises, or its answer is not finite or absurd.
        """
        work = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        try:
            calculator = self._factory()
            work.calc = calculator
            consistent = "free_energy" in calculator.implemented_properties
            results: dict[str, float | np.ndarray] = {
                "energy": float(work.get_potential_energy(force_consistent=consistent)),
                "forces": np.array(work.get_forces(), dtype=float),
            }
            if work.pbc.all() and "stress" in calculator.implemented_properties:
                # some classes promise a stress that these settings do not give: train without it
                with contextlib.suppress(PropertyNotImplementedError):
                    results["stress"] = np.array(work.get_stress(), dtype=float)
        except Exception as error:  # whatever a user's calculator raises
            raise OracleError(f"the calculator raised {type(error).__name__}: {error}") from error
        labelled = Atoms(work.symbols, work.positions, cell=work.cell, pbc=work.pbc)
        labelled.calc = SinglePointCalculator(labelled, **results)
        check_label(labelled, self._max_force)
        return labelled


def check_label(labelled: Atoms, max_force: float) -> None:
    """Refuse labels that cannot be right.

    Parameters
    ----------
    labelled
        A structure with energy, forces and, where there is one, stress.
    max_force
        eV/Å.

    Raises
    ------
    OracleError
        If something is missing, not finite, or absurd.
    """
    results = labelled.calc.results if labelled.calc is not None else {}
    for name in ("energy", "forces"):
        if name not in results:
            raise OracleError(f"expected a structure with {name}, got none")
    for name in ("energy", "forces", "stress"):
        if name in results and not np.isfinite(results[name]).all():
            raise OracleError(f"expected a finite {name}, got NaN or infinity")
    forces = np.asarray(results["forces"])
    if forces.shape != (len(labelled), 3):
        raise OracleError(f"expected forces of shape ({len(labelled)}, 3), got {forces.shape}")
    largest = float(np.abs(forces).max(initial=0.0))
    if largest > max_force:
        raise OracleError(f"the largest force is {largest:.3g} eV/Å, above max_force {max_force:g}")
