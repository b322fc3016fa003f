"""The audit of a small cell, before any label is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.structures.geometry import closeness


@dataclass(frozen=True, kw_only=True)
class Audit:
    """How well a small cell stands for its parent.

    Attributes
    ----------
    force_error, force_error_max : float
        meV/Å, median and largest length of the difference between the forces on core atoms in the small cell and in
        the parent, both by the current potential.
    seam_gamma : float
        Largest gamma outside the core.
    seam_force : float
        eV/Å, largest force outside the core, by the current potential.
    distance : float
        Å, smallest pair distance.
    share : float
        The same in units of the sum of covalent radii.
    reasons : tuple of str
        Why the cell is rejected; empty if it is not.
    """

    force_error: float
    force_error_max: float
    seam_gamma: float
    seam_force: float
    distance: float
    share: float
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the cell may be labelled."""
        return not self.reasons

    def figures(self) -> str:
        """Say the figures in one line."""
        return (
            f"core force error {self.force_error:.3g} meV/Å (largest {self.force_error_max:.3g}), seam gamma "
            f"{self.seam_gamma:.3g}, smallest distance {self.distance:.3f} Å"
        )


def audit(
    structure: Atoms,
    core: np.ndarray,
    forces: np.ndarray,
    parent_forces: np.ndarray,
    gamma: np.ndarray,
    *,
    error_limit: float,
    gamma_limit: float,
    share_limit: float,
) -> Audit:
    """Compare a small cell with its parent.

    Parameters
    ----------
    structure
        The small cell.
    core : ndarray of bool, shape (n_atoms,)
        Atoms whose forces are to count.
    forces, parent_forces : ndarray, shape (n_atoms, 3)
        eV/Å, by the current potential: in the small cell, and of the same atoms in the parent.
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades in the small cell.
    error_limit
        meV/Å, for the median over core atoms.
    gamma_limit
        For all but core atoms.
    share_limit
        Smallest distance in units of the sum of covalent radii.

    Returns
    -------
    Audit
    """
    errors = 1e3 * np.linalg.norm((forces - parent_forces)[core], axis=1)
    seam_gamma = float(gamma[~core].max(initial=0.0))
    seam_force = float(np.linalg.norm(forces[~core], axis=1).max(initial=0.0))
    error = float(np.median(errors))
    close = closeness(structure)
    reasons: list[str] = []
    # "not <=" rejects NaN as well
    if not error <= error_limit:
        reasons.append(f"core force error {error:.3g} above {error_limit:g} meV/Å")
    if not seam_gamma <= gamma_limit:
        reasons.append(f"seam gamma {seam_gamma:.3g} above {gamma_limit:.3g}")
    if not close.share >= share_limit:
        reasons.append(f"a pair at {close.distance:.3f} Å, {close.share:.2f} of its covalent radii")
    return Audit(
        force_error=error,
        force_error_max=float(errors.max()),
        seam_gamma=seam_gamma,
        seam_force=seam_force,
        distance=close.distance,
        share=close.share,
        reasons=tuple(reasons),
    )


def fewest_reasons(audits: Sequence[Audit]) -> int:
    """Return the place of the best among rejected ones: fewest reasons, then the smallest force error."""
    order = [(len(found.reasons), np.nan_to_num(found.force_error, nan=np.inf)) for found in audits]
    return min(range(len(order)), key=lambda index: order[index])
