"""What is checked before a structure is labelled, and what of its label after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.units import GPa

from acemaker.errors import Cause, OracleError
from acemaker.structures.computed import stress_of
from acemaker.structures.geometry import closeness


def check_geometry(atoms: Atoms, least: float) -> None:
    """Refuse what no program can label: most return some huge number for it, without a word.

    Parameters
    ----------
    atoms
        The structure.
    least
        Smallest pair distance allowed, as a share of the sum of covalent radii; 0 for any.

    Raises
    ------
    OracleError
        If positions or cell are not finite, or two atoms lie closer, periodic images included.
    """
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise OracleError("expected finite positions and cell, got NaN or infinity", Cause.BAD_STRUCTURE)
    if not least or not (atoms.pbc.all() or not atoms.pbc.any()):
        return
    close = closeness(atoms)
    if close.share < least:
        raise OracleError(
            f"two atoms are {close.distance:.3f} Å apart, {close.share:.2f} of the sum of their covalent radii; "
            f"min_label_distance allows {least:g}",
            Cause.BAD_STRUCTURE,
        )


ODD_PRESSURE = 20.0
"""GPa: more than first structures, strained by some percent, have unless their lattice constant is another's."""


def pressure_remark(labels: Sequence[Atoms]) -> str:
    """Say that first structures are under an odd pressure; empty if they are not, or have no stress.

    Parameters
    ----------
    labels
        Structures with stress.
    """
    stresses = [stress_of(atoms)[:3].mean() for atoms in labels if "stress" in atoms.calc.results]
    pressure = -float(np.mean(stresses)) / GPa if stresses else 0.0
    if abs(pressure) < ODD_PRESSURE:
        return ""
    return (
        f"the first structures are under {pressure:.0f} GPa on average: is that meant, or is the lattice constant "
        "(or the structure file) another material's?"
    )


def check_label(labelled: Atoms, max_force: float, max_net_force: float = float("inf")) -> None:
    """Refuse labels that cannot be right.

    Parameters
    ----------
    labelled
        A structure with energy, forces and, where there is one, stress.
    max_force
        eV/Å.
    max_net_force
        eV/Å per atom; forces of atoms without an outer field add up to nothing.

    Raises
    ------
    OracleError
        If something is missing, not finite, or absurd.
    """
    results = labelled.calc.results if labelled.calc is not None else {}
    for name in ("energy", "forces"):
        if name not in results:
            raise _nonsense(f"expected a structure with {name}, got none")
    for name in ("energy", "forces", "stress"):
        if name in results and not np.isfinite(results[name]).all():
            raise _nonsense(f"expected a finite {name}, got NaN or infinity")
    forces = np.asarray(results["forces"])
    if forces.shape != (len(labelled), 3):
        raise _nonsense(f"expected forces of shape ({len(labelled)}, 3), got {forces.shape}")
    largest = float(np.abs(forces).max(initial=0.0))
    if largest > max_force:
        raise _nonsense(f"the largest force is {largest:.3g} eV/Å, above max_force {max_force:g}")
    net = float(np.linalg.norm(forces.sum(axis=0))) / max(len(labelled), 1)
    if net > max_net_force:
        raise _nonsense(f"forces add up to {net:.3g} eV/Å per atom, above max_net_force {max_net_force:g}")


def _nonsense(message: str) -> OracleError:
    return OracleError(message, Cause.NONSENSE)
