"""Validation of a small cell by the current potential, before it is labeled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.structures.geometry import closeness


@dataclass(frozen=True, kw_only=True)
class EmbeddingValidation:
    """Comparison of a small cell with its parent.

    Attributes
    ----------
    force_error, force_error_max : float
        meV/Å, median and largest length of the difference between the forces on core atoms in the small cell and in
        the parent, both from the current potential.
    boundary_gamma : float
        Largest gamma outside the core.
    boundary_force : float
        eV/Å, largest force outside the core, from the current potential.
    distance : float
        Å, smallest pair distance.
    share : float
        The same in units of the sum of covalent radii.
    reasons : tuple of str
        Reasons why the cell is rejected; empty if it passed.
    """

    force_error: float
    force_error_max: float
    boundary_gamma: float
    boundary_force: float
    distance: float
    share: float
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the cell may be labeled."""
        return not self.reasons

    def figures(self) -> str:
        """Return errors, gamma and distance in one line."""
        return (
            f"core force error {self.force_error:.3g} meV/Å (largest {self.force_error_max:.3g}), boundary gamma "
            f"{self.boundary_gamma:.3g}, smallest distance {self.distance:.3f} Å"
        )


def validate_cell(
    structure: Atoms,
    core: np.ndarray,
    forces: np.ndarray,
    parent_forces: np.ndarray,
    gamma: np.ndarray,
    *,
    error_limit: float,
    gamma_limit: float,
    share_limit: float,
) -> EmbeddingValidation:
    """Compare a small cell with its parent.

    Parameters
    ----------
    structure
        The small cell.
    core : ndarray of bool, shape (n_atoms,)
        True for atoms whose forces will count.
    forces, parent_forces : ndarray, shape (n_atoms, 3)
        eV/Å, from the current potential: in the small cell, and on the same atoms in the parent.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades in the small cell.
    error_limit
        meV/Å, largest median force error of core atoms.
    gamma_limit
        Largest gamma of the other atoms.
    share_limit
        Smallest distance in units of the sum of covalent radii.

    Returns
    -------
    EmbeddingValidation
    """
    errors = 1e3 * np.linalg.norm((forces - parent_forces)[core], axis=1)
    boundary_gamma = float(gamma[~core].max(initial=0.0))
    boundary_force = float(np.linalg.norm(forces[~core], axis=1).max(initial=0.0))
    error = float(np.median(errors))
    close = closeness(structure)
    reasons: list[str] = []
    # "not <=" also rejects NaN
    if not error <= error_limit:
        reasons.append(f"core force error {error:.3g} above {error_limit:g} meV/Å")
    if not boundary_gamma <= gamma_limit:
        reasons.append(f"boundary gamma {boundary_gamma:.3g} above {gamma_limit:.3g}")
    if not close.share >= share_limit:
        reasons.append(f"a pair at {close.distance:.3f} Å, {close.share:.2f} of the sum of its covalent radii")
    return EmbeddingValidation(
        force_error=error,
        force_error_max=float(errors.max()),
        boundary_gamma=boundary_gamma,
        boundary_force=boundary_force,
        distance=close.distance,
        share=close.share,
        reasons=tuple(reasons),
    )


def fewest_reasons(validations: Sequence[EmbeddingValidation]) -> int:
    """Return the index of the best rejected cell: fewest reasons, then smallest force error."""
    order = [(len(cell.reasons), np.nan_to_num(cell.force_error, nan=np.inf)) for cell in validations]
    return min(range(len(order)), key=lambda index: order[index])
