"""Energy, forces and stress of a structure as its calculator has computed them.

ASE's own methods apply constraints: for a fixed atom, of a frame that was read from a file say, they return no force.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms


def energy_of(atoms: Atoms) -> float:
    """Return the energy in eV, without what constraints add to it."""
    return float(atoms.get_potential_energy(apply_constraint=False))


def forces_of(atoms: Atoms) -> np.ndarray:
    """Return the forces in eV/Å, shape (n_atoms, 3), those of fixed atoms included."""
    forces: np.ndarray = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
    return forces


def stress_of(atoms: Atoms) -> np.ndarray:
    """Return the stress in eV/Å^3, shape (6,), in Voigt's order, without what constraints add to it."""
    stress: np.ndarray = np.array(atoms.get_stress(apply_constraint=False), dtype=float)
    return stress
