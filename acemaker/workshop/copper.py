"""Copper in small cells for the workshop's notebooks, with Mishin's EAM potential as the analytic oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from acemaker.analysis import reference_trajectory
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import EmbeddedCell
from acemaker.structures.geometry import pairs

ORACLE: dict[str, Any] = {"pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]}
"""Parameters of a campaign for the analytic oracle."""

COPPER: dict[str, Any] = {"lattice_constant": 3.615, "supercell": [2, 2, 2], **ORACLE}
"""Parameters of a campaign with 32 atoms; lattice constant in Å."""

DISPLACED, STRETCH = 0.8, 0.08
"""Displacement in Å and relative change of length of the examples."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """Extrapolation grades of atoms, and force errors of the potential.

    Attributes
    ----------
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades, dimensionless.
    error : ndarray, shape (n_atoms,)
        Norm of the difference between the potential's and the oracle's force in meV/Å.
    """

    gamma: np.ndarray
    error: np.ndarray


def crystal(repeat: int = 2, lattice_constant: float = 3.615) -> Atoms:
    """Build a perfect crystal.

    Parameters
    ----------
    repeat
        Number of repeats of the cubic cell of 4 atoms in each direction.
    lattice_constant
        Lattice constant in Å.
    """
    return bulk("Cu", "fcc", a=lattice_constant, cubic=True).repeat(repeat)


def copper_oracle(max_force: float = 1e4) -> CalculatorOracle:
    """Create the analytic oracle.

    Parameters
    ----------
    max_force
        Maximum force in eV/Å; high, since the workshop includes unphysical structures.
    """
    return CalculatorOracle.from_config(
        OracleConfig(oracle="lammps", max_force=max_force, min_label_distance=0.3, **ORACLE), ("Cu",)
    )


def grade(generation: Generation, structures: Sequence[Atoms]) -> Graded:
    """Compute extrapolation grades and force errors of structures.

    Parameters
    ----------
    generation
        The potential.
    structures
        Structures of copper; those without forces are labeled.
    """
    oracle, calculator = copper_oracle(), generation.calculator()
    gammas, errors = [], []
    for atoms in structures:
        reference = forces_of(atoms if atoms.calc is not None else oracle.label(atoms))
        copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
        errors.append(1e3 * np.linalg.norm(forces_of(copy) - reference, axis=1))
        gammas.append(np.array(calculator.results["gamma"]))
    return Graded(gamma=np.concatenate(gammas), error=np.concatenate(errors))


def displaced(start: Atoms, distance: float) -> Atoms:
    """Move one atom by a distance in Å toward one of its nearest neighbors."""
    atoms = start.copy()
    vectors = atoms.get_distances(0, range(1, len(atoms)), mic=True, vector=True)
    nearest = vectors[np.linalg.norm(vectors, axis=1).argmin()]
    atoms.positions[0] += distance * nearest / np.linalg.norm(nearest)
    return atoms


def stretched(start: Atoms, strain: float) -> Atoms:
    """Stretch all three directions by a relative change of length; negative values compress."""
    atoms = start.copy()
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    return atoms


def heated(
    start: Atoms,
    temperature: tuple[float, float],
    steps: int,
    n_frames: int,
    seed: int = 1,
    ensemble: str = "npt",
) -> tuple[Atoms, ...]:
    """Run molecular dynamics with the oracle, and return frames of it.

    Parameters
    ----------
    start
        Initial structure.
    temperature
        Temperature in K at the first and the last step.
    steps
        Number of steps of 2 fs.
    n_frames
        Number of frames that are returned, with the oracle's forces.
    seed
        Seed of the velocities.
    ensemble
        ``npt`` at zero pressure, or ``nvt``.
    """
    parameters = {**COPPER, "temperature": temperature, "steps": steps, "seed": seed, "ensemble": ensemble}
    return reference_trajectory(CampaignConfig.from_parameters(parameters), start, n_frames=n_frames)


def examples(start: Atoms, rattle: float = 0.12, seed: int = 7) -> dict[str, Atoms]:
    """Create five structures of which only the first resembles a training set of rattled crystals.

    Parameters
    ----------
    start
        A perfect crystal.
    rattle
        Standard deviation of displacements in Å, equal to that of the training set.
    seed
        Seed of the displacements.
    """
    rattled = start.copy()
    rattled.positions += np.random.default_rng(seed).normal(scale=rattle, size=rattled.positions.shape)
    vacancy = rattled.copy()
    del vacancy[0]
    return {
        "rattled": rattled,
        "vacancy": vacancy,
        "displaced": displaced(start, DISPLACED),
        "stretched": stretched(start, STRETCH),
        "liquid": heated(start, (3000.0, 3000.0), 1000, 1, seed)[0],
    }


def vacancy_frames(seed: int = 1) -> list[Atoms]:
    """Create hot copper cells of 107 atoms with a vacancy, and molten cells of 108 atoms, with the oracle's forces."""
    frames: list[Atoms] = []
    for temperature, lattice_constant in ((900.0, 3.66), (1500.0, 3.72), (2500.0, 3.80)):
        atoms = crystal(3, lattice_constant)
        if temperature < 2000:
            del atoms[5]
        frames += heated(atoms, (temperature, temperature), 600, 2, seed, "nvt")
    return frames


def large_vacancy(seed: int = 1) -> tuple[Atoms, int]:
    """Create a crystal of 863 atoms with a vacancy at 1200 K, with the oracle's forces.

    Returns
    -------
    tuple of Atoms and int
        The crystal, and the index of an atom next to the vacancy, i.e. one with the fewest neighbors.
    """
    atoms = crystal(6, 3.70)
    del atoms[400]
    parent = heated(atoms, (1200.0, 1200.0), 300, 1, seed, "nvt")[0]
    return parent, int(np.bincount(pairs(parent, 3.2)[0], minlength=len(parent)).argmin())


def boundary_error(cell: EmbeddedCell, parent: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Compare the oracle's forces in a small cell with those in its parent.

    Parameters
    ----------
    cell
        Cell cut out of the parent.
    parent
        Large structure with the oracle's forces.

    Returns
    -------
    tuple of ndarray, shape (n_atoms,)
        Distance of each atom from the center of the small cell in Å, and norm of the force difference in meV/Å.
    """
    labeled = copper_oracle().label(cell.structure)
    error = 1e3 * np.linalg.norm(forces_of(labeled) - forces_of(parent)[cell.indices], axis=1)
    distances: np.ndarray = cell.structure.get_distances(0, range(len(error)), mic=True)
    return distances, error
