"""Energy, forces and stress of a structure as its calculator computed them.

ASE's methods apply constraints by default: for a fixed atom, for example in a frame from a file, they return no force.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms


def energy_of(atoms: Atoms) -> float:
    """Return the energy in eV, without contributions of constraints."""
    return float(atoms.get_potential_energy(apply_constraint=False))


def forces_of(atoms: Atoms) -> np.ndarray:
    """Return the forces in eV/Å, shape (n_atoms, 3), including those on fixed atoms."""
    forces: np.ndarray = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
    return forces


def stress_of(atoms: Atoms) -> np.ndarray:
    """Return the stress in eV/Å^3, shape (6,), in Voigt order, without contributions of constraints."""
    stress: np.ndarray = np.array(atoms.get_stress(apply_constraint=False), dtype=float)
    return stress
