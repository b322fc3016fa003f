"""The protocol of an oracle, and an oracle that uses an ASE calculator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.config import OracleConfig
from acemaker.errors import Cause, OracleError, StructureError
from acemaker.oracles.checks import check_geometry, check_label, check_unmoved, check_values, voigt
from acemaker.oracles.factory import CalculatorFactory, calculator_factory
from acemaker.oracles.output_messages import diagnose_output
from acemaker.oracles.start_moments import with_start_moments
from acemaker.structures.per_atom import MOMENTS, bare_copy

STRESS_FAILURE = "stress_failure"
"""Entry in the ``info`` of a label: the error of a calculator that has a stress, but could not compute it."""

ZERO = 1e-8
"""Bohr magnetons; smaller moments are zero, as calculators without spin return them."""


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
    magnetic_moments
        Moments in Bohr magnetons by element, with which the calculator starts, beside those of the structure.
    """

    def __init__(
        self,
        factory: CalculatorFactory,
        max_force: float,
        max_net_force: float = float("inf"),
        min_distance: float = 0.0,
        folder: Path | None = None,
        magnetic_moments: Mapping[str, float] | None = None,
    ) -> None:
        self._factory = factory
        self._max_force = max_force
        self._max_net_force = max_net_force
        self._min_distance = min_distance
        self._folder = folder
        self._magnetic_moments = dict(magnetic_moments or {})

    @classmethod
    def from_config(
        cls, config: OracleConfig, elements: tuple[str, ...], folder: Path | None = None
    ) -> CalculatorOracle:
        """Create the configured oracle in this process, regardless of ``label_process``."""
        factory = calculator_factory(config, elements)
        return cls(
            factory,
            config.max_force,
            config.max_net_force,
            config.min_label_distance,
            folder,
            config.magnetic_moments,
        )

    @property
    def factory(self) -> CalculatorFactory:
        """The callable that returns the calculator."""
        return self._factory

    def without_limits(self) -> CalculatorOracle:
        """Return the same oracle with no limit of a plausible label, for a check of its units."""
        return CalculatorOracle(self._factory, float("inf"), magnetic_moments=self._magnetic_moments)

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
            case of smearing. Without a stress although the calculator has one, ``info["stress_failure"]`` is its error.

        Raises
        ------
        OracleError
            If the structure is impossible, the calculator raises or moves atoms, or its result is not finite or
            implausible.
        """
        check_geometry(atoms, self._min_distance)
        try:
            is_magnetic = bool(self._magnetic_moments) or MOMENTS in atoms.arrays
            work = with_start_moments(atoms, self._magnetic_moments) if is_magnetic else bare_copy(atoms)
        except StructureError as error:
            raise OracleError(str(error), Cause.BAD_STRUCTURE) from error
        try:
            calculator = self._factory()
            if isinstance(calculator, Calculator):
                calculator.reset()  # it may be used for several labels
            work.calc = calculator
            implemented = getattr(calculator, "implemented_properties", ("energy", "forces"))
            consistent = "free_energy" in implemented
            energy = work.get_potential_energy(force_consistent=consistent, apply_constraint=False)
            forces, stress, stress_failure = work.get_forces(apply_constraint=False), None, ""
            if work.pbc.all() and "stress" in implemented:
                try:
                    stress = calculator.get_stress(work)
                except NotImplementedError:  # it has none, such as with these settings
                    pass
                except Exception as error:  # only a barostat needs it
                    stress_failure = f"{type(error).__name__}: {error}"
            results: dict[str, float | np.ndarray] = {
                "energy": float(check_values("energy", energy, (), (1,))),
                "forces": check_values("forces", forces, (len(work), 3)),
            }
            if stress is not None:
                results["stress"] = voigt(check_values("stress", stress, (6,), (3, 3)))
            results |= magnetic_results(getattr(calculator, "results", None) or {}, work)
        except OracleError:
            raise
        except Exception as error:  # a user's calculator can raise anything
            raise diagnose_output(error, self._folder) from error
        labeled = with_results(atoms, results)
        if stress_failure:
            labeled.info[STRESS_FAILURE] = stress_failure
        check_unmoved(atoms, work)
        check_label(labeled, self._max_force, self._max_net_force)
        return labeled


def magnetic_results(results: Mapping[str, Any], atoms: Atoms) -> dict[str, float | np.ndarray]:
    """Return the magnetic moments among the results of a calculator.

    Parameters
    ----------
    results
        Results by ASE's names.
    atoms
        The structure, with the moments with which the calculator started.

    Returns
    -------
    dict
        ``magmom``, the total moment, and ``magmoms``, shape (n_atoms,), in Bohr magnetons, as far as the calculator has
        them. Empty for vectors, and if all are zero and the calculator started without moments.

    Raises
    ------
    OracleError
        For moments that are not finite, or not one per atom.
    """
    moments: dict[str, float | np.ndarray] = {}
    total, by_atom = results.get("magmom"), results.get("magmoms")
    if total is not None and np.asarray(total).size == 1:
        moments["magmom"] = float(check_values("magmom", total, (), (1,)))
    if by_atom is not None and np.asarray(by_atom).shape != (len(atoms), 3):
        moments["magmoms"] = check_values("magmoms", by_atom, (len(atoms),))
    is_magnetic = MOMENTS in atoms.arrays or any(np.any(np.abs(value) > ZERO) for value in moments.values())
    return moments if is_magnetic else {}


def with_results(atoms: Atoms, results: dict[str, float | np.ndarray]) -> Atoms:
    """Return a copy of a structure (symbols, positions, cell and periodicity) with the results of a calculation."""
    labeled = bare_copy(atoms)
    labeled.calc = SinglePointCalculator(labeled, **results)
    return labeled
