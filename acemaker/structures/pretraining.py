"""Structures around the first one, for a cheap calculator to label."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units

from acemaker.structures.geometry import closeness

SHEAR = 1 / 3
"""Standard deviation of a strain's shape, as a share of the largest change of length."""

LEAST_SHARE = 0.65
"""Of the sum of covalent radii; closer atoms are brought apart, by smaller displacements of all."""


def pretraining_structures(
    atoms: Atoms,
    n: int,
    *,
    temperatures: tuple[float, float],
    strain: float,
    springs: dict[str, float],
    rng: np.random.Generator,
) -> list[Atoms]:
    r"""Displace and strain a structure as its atoms may be on the way through a ramp.

    Each structure has a temperature, spread evenly from half the ramp's lowest to its highest. Atoms are displaced as
    classical Einstein oscillators, by Gaussians of variance :math:`k_\mathrm{B} T / k` with the spring constant *k* of
    their element, so that the harmonic energy is that of the temperature.

    Parameters
    ----------
    atoms
        The first structure, or a small cell that stands for it.
    n
        How many.
    temperatures
        K, of the ramp.
    strain
        Largest change of length, dimensionless; volumes are spread over it at random.
    springs
        eV/Å^2, by element.
    rng
        Random numbers.

    Returns
    -------
    list of Atoms
    """
    made = []
    widths = np.array([springs[symbol] ** -0.5 for symbol in atoms.symbols])[:, None]
    for temperature in np.linspace(min(temperatures) / 2, max(temperatures), n):
        copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        shape = rng.normal(scale=SHEAR * strain, size=(3, 3))
        change = (shape + shape.T) / 2 + rng.uniform(-strain, strain) * np.eye(3)
        moves = np.sqrt(units.kB * temperature) * widths * rng.normal(size=copy.positions.shape)
        if copy.pbc.all():
            copy.set_cell(copy.cell.array @ (np.eye(3) + change), scale_atoms=True)
        origin = copy.positions.copy()
        copy.positions = origin + moves
        while closeness(copy).share < LEAST_SHARE and np.abs(moves).max() > 1e-3:
            moves *= 0.8
            copy.positions = origin + moves
        made.append(copy)
    return made


def springs_of(atoms: Atoms, displaced: Atoms, forces: np.ndarray, forces_displaced: np.ndarray) -> dict[str, float]:
    """Fit a spring constant to each element's change of forces with displacement.

    Parameters
    ----------
    atoms, displaced
        The same cell before and after.
    forces, forces_displaced : ndarray, shape (n_atoms, 3)
        eV/Å.

    Returns
    -------
    dict of str to float
        eV/Å^2, at least 0.5: softer ones would throw atoms about.
    """
    moves, changes = displaced.positions - atoms.positions, forces_displaced - forces
    found = {}
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        of = atoms.symbols == symbol
        found[symbol] = max(0.5, -float(np.sum(changes[of] * moves[of])) / float(np.sum(moves[of] ** 2)))
    return found
