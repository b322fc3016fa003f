"""Checks of a structure before it is labeled, and of its label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.units import GPa

from acemaker.errors import Cause, OracleError
from acemaker.structures.computed import stress_of
from acemaker.structures.geometry import closeness


def check_geometry(atoms: Atoms, min_distance: float) -> None:
    """Check that a structure can be labeled; most programs return huge numbers otherwise, without an error.

    Parameters
    ----------
    atoms
        The structure.
    min_distance
        Minimum pair distance, as a fraction of the sum of covalent radii; 0 for any distance.

    Raises
    ------
    OracleError
        If positions or cell are not finite, or two atoms, including periodic images, are closer.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise OracleError("expected finite positions and cell, got NaN or infinity", Cause.BAD_STRUCTURE)
    if not min_distance or not (atoms.pbc.all() or not atoms.pbc.any()):
        return
    close = closeness(atoms)
    if close.share < min_distance:
        raise OracleError(
            f"two atoms are {close.distance:.3f} Å apart, {close.share:.2f} of the sum of their covalent radii; "
            f"min_label_distance allows {min_distance:g}",
            Cause.BAD_STRUCTURE,
        )


ODD_PRESSURE = 20.0
"""Pressure in GPa; initial structures, strained by a few percent, exceed it only with a wrong lattice constant."""


def pressure_remark(labels: Sequence[Atoms]) -> str:
    """Return a remark on an unusual mean pressure of the initial structures.

    Parameters
    ----------
    labels
        Labeled structures.

    Returns
    -------
    str
        Empty if the pressure is usual, or if no label has a stress.
    """
    stresses = [stress_of(atoms)[:3].mean() for atoms in labels if "stress" in atoms.calc.results]
    pressure = -float(np.mean(stresses)) / GPa if stresses else 0.0
    if abs(pressure) < ODD_PRESSURE:
        return ""
    return (
        f"the initial structures have a mean pressure of {pressure:.0f} GPa; if this is not intended, check "
        "lattice_constant or the structure file"
    )


def check_label(labeled: Atoms, max_force: float, max_net_force: float = float("inf")) -> None:
    """Check that a label is complete, finite and plausible.

    Parameters
    ----------
    labeled
        A structure with energy, forces and, optionally, stress.
    max_force
        Maximum force component in eV/Å.
    max_net_force
        Maximum norm of the sum of forces in eV/Å per atom; without an external field the sum is zero.

    Raises
    ------
    OracleError
        If a result is missing, not finite or too large.
    """
    results = labeled.calc.results if labeled.calc is not None else {}
    for name in ("energy", "forces"):
        if name not in results:
            raise _nonsense(f"expected a structure with {name}, got no {name}")
    for name in ("energy", "forces", "stress"):
        if name in results and not np.isfinite(results[name]).all():
            raise _nonsense(f"expected a finite {name}, got NaN or infinity")
    forces = np.asarray(results["forces"])
    if forces.shape != (len(labeled), 3):
        raise _nonsense(f"expected forces of shape ({len(labeled)}, 3), got {forces.shape}")
    largest = float(np.abs(forces).max(initial=0.0))
    if largest > max_force:
        raise _nonsense(f"the largest force is {largest:.3g} eV/Å, above max_force {max_force:g}")
    net = float(np.linalg.norm(forces.sum(axis=0))) / max(len(labeled), 1)
    if net > max_net_force:
        raise _nonsense(f"forces add up to {net:.3g} eV/Å per atom, above max_net_force {max_net_force:g}")


def _nonsense(message: str) -> OracleError:
    return OracleError(message, Cause.NONSENSE)
