"""Residuals of a potential on labels, for potentials without a design matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.formatting.record import read_only
from acemaker.potentials.basis import Basis
from acemaker.potentials.environment import environment
from acemaker.potentials.linear import FitErrors
from acemaker.potentials.pyace_library import load_pyace
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.mask import energy_counts, mask_of


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """Prediction minus label for the unmasked parts of a structure.

    Attributes
    ----------
    energy : float or None
        eV/atom; None if the energy does not count.
    forces : ndarray, shape (3 n_counted,)
        eV/Å, of the unmasked atoms.
    virial : ndarray, shape (6,), or None
        Stress times volume divided by the number of atoms, eV/atom; None without a stress or with a mask.
    """

    energy: float | None
    forces: np.ndarray
    virial: np.ndarray | None


def residuals_of(
    basis: Basis, structures: Sequence[Atoms], targets: Sequence[Atoms], reference: dict[str, float]
) -> list[Residuals]:
    """Evaluate a potential on labels.

    Parameters
    ----------
    basis
        Basis with the coefficients of the potential.
    structures
        Labels, with their masks.
    targets
        The labels minus the baseline.
    reference
        Reference energies in eV per atom, by element.

    Returns
    -------
    list of Residuals
    """
    pyace = load_pyace()
    evaluator = pyace.ACEBEvaluator(basis.basis_set)  # the calculator holds no reference to it
    calculator = pyace.ACECalculator(evaluator)
    residuals = []
    for atoms, target in zip(structures, targets, strict=True):
        calculator.compute(environment(atoms, basis.elements, basis.cutoff), compute_projections=False)
        mask, n_atoms = mask_of(atoms), len(atoms)
        forces = np.array(calculator.forces, dtype=float).reshape(-1, 3) - forces_of(target)
        free = sum(reference[symbol] for symbol in atoms.get_chemical_symbols())
        energy = (calculator.energy + free - energy_of(target)) / n_atoms
        virial = None
        if mask is None and target.calc is not None and "stress" in target.calc.results:
            virial = np.array(calculator.virial)[[0, 1, 2, 5, 4, 3]] - stress_of(target) * target.get_volume()
            virial /= n_atoms
        residuals.append(
            Residuals(
                energy=float(energy) if energy_counts(atoms) else None,
                forces=(forces if mask is None else forces[mask]).ravel(),
                virial=virial,
            )
        )
    return residuals


def force_errors(residuals: Sequence[Residuals]) -> tuple[float, ...]:
    """Return the root mean square of the force components of each structure, meV/Å."""
    return tuple(1e3 * float(np.sqrt(np.mean(residual.forces**2))) for residual in residuals)


def mean_errors(residuals: Sequence[Residuals]) -> FitErrors:
    """Return root mean squares over structures, all with the same weight."""
    parts = {
        "energy": [residual.energy**2 for residual in residuals if residual.energy is not None],
        "forces": [float(np.mean(residual.forces**2)) for residual in residuals],
        "virial": [float(np.mean(residual.virial**2)) for residual in residuals if residual.virial is not None],
    }
    return FitErrors(
        **{name: 1e3 * float(np.sqrt(np.mean(squares))) for name, squares in parts.items() if squares}
        | {name: float("nan") for name, squares in parts.items() if not squares}
    )


def parity_of(structures: Sequence[Atoms], residuals: Sequence[Residuals]) -> tuple[np.ndarray, np.ndarray]:
    """Pair labels with predictions, as `targets.parity` does for linear fits.

    Returns
    -------
    energies : ndarray, shape (n_energies, 2)
        eV/atom.
    forces : ndarray, shape (n_components, 2)
        eV/Å.
    """
    energies, forces = [], []
    for atoms, residual in zip(structures, residuals, strict=True):
        if residual.energy is not None:
            label = energy_of(atoms) / len(atoms)
            energies.append((label, label + residual.energy))
        mask = mask_of(atoms)
        labels = (forces_of(atoms) if mask is None else forces_of(atoms)[mask]).ravel()
        forces.append(np.column_stack([labels, labels + residual.forces]))
    return read_only(np.reshape(energies, (-1, 2))), read_only(np.vstack([np.zeros((0, 2)), *forces]))
