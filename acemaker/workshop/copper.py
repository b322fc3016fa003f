"""Copper in a small cell, as the workshop's notebooks use it: the oracle twin is Mishin's EAM potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from acemaker.analysis import truth_trajectory
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.embedding import EmbeddedCell
from acemaker.structures.geometry import pairs

ORACLE: dict[str, Any] = {"pair_style": "eam/alloy", "pair_coeff": ["* * Cu_mishin1.eam.alloy Cu"]}
"""The oracle twin, by the names of a campaign's parameters."""

COPPER: dict[str, Any] = {"lattice_constant": 3.615, "supercell": [2, 2, 2], **ORACLE}
"""32 atoms; lattice constant in Å."""

DISPLACED, STRETCH = 0.8, 0.08
"""Å and relative change of length, of the examples."""


@dataclass(frozen=True, kw_only=True)
class Graded:
    """What a potential says of atoms, and how wrong it is.

    Attributes
    ----------
    gamma : ndarray, shape (n_atoms,)
        Extrapolation grades, dimensionless.
    error : ndarray, shape (n_atoms,)
        meV/Å, length of the difference between its force and the oracle's.
    """

    gamma: np.ndarray
    error: np.ndarray


def crystal(repeat: int = 2, lattice_constant: float = 3.615) -> Atoms:
    """Build a perfect crystal.

    Parameters
    ----------
    repeat
        Of the cubic cell of 4 atoms.
    lattice_constant
        Å.
    """
    return bulk("Cu", "fcc", a=lattice_constant, cubic=True).repeat(repeat)


def copper_oracle(max_force: float = 1e4) -> CalculatorOracle:
    """Make the oracle twin.

    Parameters
    ----------
    max_force
        eV/Å; high, since strange structures are to be looked at.
    """
    return CalculatorOracle.from_config(
        OracleConfig(oracle="lammps", max_force=max_force, min_label_distance=0.3, **ORACLE), ("Cu",)
    )


def grade(generation: Generation, structures: Sequence[Atoms]) -> Graded:
    """Grade structures, and compare their forces with the oracle's.

    Parameters
    ----------
    generation
        The potential.
    structures
        Copper; those that have no forces yet are labelled.
    """
    oracle, calculator = copper_oracle(), generation.calculator()
    gammas, errors = [], []
    for atoms in structures:
        true = forces_of(atoms if atoms.calc is not None else oracle.label(atoms))
        copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
        errors.append(1e3 * np.linalg.norm(forces_of(copy) - true, axis=1))
        gammas.append(np.array(calculator.results["gamma"]))
    return Graded(gamma=np.concatenate(gammas), error=np.concatenate(errors))


def displaced(start: Atoms, distance: float) -> Atoms:
    """Move one atom by so many Å towards one of its nearest neighbours."""
    atoms = start.copy()
    vectors = atoms.get_distances(0, range(1, len(atoms)), mic=True, vector=True)
    nearest = vectors[np.linalg.norm(vectors, axis=1).argmin()]
    atoms.positions[0] += distance * nearest / np.linalg.norm(nearest)
    return atoms


def stretched(start: Atoms, strain: float) -> Atoms:
    """Stretch all three directions by a relative change of length; negative compresses."""
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
    """Heat a structure by the oracle's own molecular dynamics.

    Parameters
    ----------
    start
        Where it starts.
    temperature
        K, at the first and the last step.
    steps
        Of 2 fs.
    n_frames
        Frames that are kept, with true forces.
    seed
        Of the velocities.
    ensemble
        ``npt`` without pressure, or ``nvt``.
    """
    parameters = {**COPPER, "temperature": temperature, "steps": steps, "seed": seed, "ensemble": ensemble}
    return truth_trajectory(CampaignConfig.from_parameters(parameters), start, n_frames=n_frames)


def examples(start: Atoms, rattle: float = 0.12, seed: int = 7) -> dict[str, Atoms]:
    """Make five structures that a potential trained on rattled crystals may be asked about.

    Parameters
    ----------
    start
        A perfect crystal.
    rattle
        Å, as that of the training set.
    seed
        Of the displacements.
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
    """Make hot copper cells of 107 atoms with a vacancy, and molten ones of 108, with true forces."""
    frames: list[Atoms] = []
    for temperature, lattice_constant in ((900.0, 3.66), (1500.0, 3.72), (2500.0, 3.80)):
        atoms = crystal(3, lattice_constant)
        if temperature < 2000:
            del atoms[5]
        frames += heated(atoms, (temperature, temperature), 600, 2, seed, "nvt")
    return frames


def large_vacancy(seed: int = 1) -> tuple[Atoms, int]:
    """Make a crystal of 863 atoms with a vacancy at 1200 K, with true forces.

    Returns
    -------
    tuple of Atoms and int
        And an atom beside the vacancy: one that has the fewest neighbours.
    """
    atoms = crystal(6, 3.70)
    del atoms[400]
    parent = heated(atoms, (1200.0, 1200.0), 300, 1, seed, "nvt")[0]
    return parent, int(np.bincount(pairs(parent, 3.2)[0], minlength=len(parent)).argmin())


def seam_error(cell: EmbeddedCell, parent: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Compare the true forces in a small cell with those in its parent.

    Parameters
    ----------
    cell
        Cut out of it.
    parent
        With true forces.

    Returns
    -------
    tuple of ndarray, shape (n_atoms,)
        Å, distance of each atom from the centre in the small cell; meV/Å, length of the difference.
    """
    labelled = copper_oracle().label(cell.structure)
    error = 1e3 * np.linalg.norm(forces_of(labelled) - forces_of(parent)[cell.indices], axis=1)
    distances: np.ndarray = cell.structure.get_distances(0, range(len(error)), mic=True)
    return distances, error
