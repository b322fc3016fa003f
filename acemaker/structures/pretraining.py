"""Displaced and strained structures that an inexpensive calculator labels for pretraining."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from acemaker.structures.geometry import closeness
from acemaker.structures.per_atom import bare_copy, frozen_atoms

SHEAR = 1 / 3
"""Standard deviation of the random symmetric strain, as a share of the largest change of length."""

MIN_SHARE = 0.65
"""Smallest pair distance in units of the sum of covalent radii; if atoms are closer, all displacements are reduced."""


def pretraining_structures(
    atoms: Atoms,
    n: int,
    *,
    temperatures: tuple[float, float],
    strain: float,
    springs: dict[str, float],
    rng: np.random.Generator,
) -> list[Atoms]:
    r"""Displace and strain a structure as in a trajectory along a temperature ramp.

    The temperatures of the structures are at equal intervals from half the lowest to the highest temperature of the
    ramp. Atoms are displaced as classical Einstein oscillators, by Gaussians of variance :math:`k_\mathrm{B} T / k`
    with the spring constant *k* of their element, so that the harmonic energy corresponds to the temperature. Frozen
    atoms are not displaced.

    Parameters
    ----------
    atoms
        The initial structure, or a small cell that represents it.
    n
        Number of structures.
    temperatures
        Temperatures of the ramp, K.
    strain
        Largest change of length, dimensionless, for the random volumes.
    springs
        Spring constants by element, eV/Å^2.
    rng
        Random numbers.

    Returns
    -------
    list of Atoms
    """
    structures = []
    widths = np.array([springs[symbol] ** -0.5 for symbol in atoms.symbols])[:, None]
    for temperature in np.linspace(min(temperatures) / 2, max(temperatures), n):
        copy = bare_copy(atoms)
        shape = rng.normal(scale=SHEAR * strain, size=(3, 3))
        change = (shape + shape.T) / 2 + rng.uniform(-strain, strain) * np.eye(3)
        moves = np.sqrt(units.kB * temperature) * widths * rng.normal(size=copy.positions.shape)
        moves *= ~frozen_atoms(copy)[:, None]
        if copy.pbc.all():
            copy.set_cell(copy.cell.array @ (np.eye(3) + change), scale_atoms=True)
        origin = copy.positions.copy()
        copy.positions = origin + moves
        while closeness(copy).share < MIN_SHARE and np.abs(moves).max() > 1e-3:
            moves *= 0.8
            copy.positions = origin + moves
        structures.append(copy)
    return structures


def springs_of(atoms: Atoms, displaced: Atoms, forces: np.ndarray, forces_displaced: np.ndarray) -> dict[str, float]:
    """Fit a spring constant for each element to the change of the forces with displacements.

    Parameters
    ----------
    atoms, displaced
        The structure before and after the displacements, in the same cell.
    forces, forces_displaced : ndarray, shape (n_atoms, 3)
        Forces on both, eV/Å.

    Returns
    -------
    dict of str to float
        eV/Å^2, at least 0.5: smaller ones would lead to very large displacements.
    """
    moves, changes = displaced.positions - atoms.positions, forces_displaced - forces
    springs = {}
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        of_element = atoms.symbols == symbol
        product = -float(np.sum(changes[of_element] * moves[of_element]))
        springs[symbol] = max(0.5, product / float(np.sum(moves[of_element] ** 2)))
    return springs
