"""Candidates along the softest normal modes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator

from acemaker.config import OTFConfig
from acemaker.structures.computed import forces_of
from acemaker.structures.strategies.site import Site
from acemaker.utils.dotted_path import import_callable

STEP = 0.01
"""Å, step of the finite differences: large enough for smooth derivatives of universal potentials in single
precision."""

SOFT_SHARE = 1 / 3
"""Share of the modes along which atoms are displaced, softest first."""

RIGID = 2e-4
"""eV, hbar times the frequency below which a mode counts as a translation of all atoms."""

HBAR = float(units._hbar * units.J * units.s)
"""The reduced Planck constant in ASE's units, eV Å (u/eV)^(1/2)."""

MAX_DISPLACEMENT = 0.3
"""Å, largest displacement of an atom: the harmonic approximation is not valid for larger ones."""


@dataclass(frozen=True, kw_only=True)
class Modes:
    """Normal modes of some atoms, with all others fixed.

    Attributes
    ----------
    energies : ndarray, shape (3 n,)
        hbar times the frequency, eV, softest first; negative for imaginary frequencies.
    directions : ndarray, shape (3 n, n, 3)
        Displacement of each atom for a mass-weighted normal coordinate of 1 Å u^(1/2), Å.
    """

    energies: np.ndarray
    directions: np.ndarray


def normal_modes(site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    r"""Displace the atoms around the one with the largest gamma along their softest modes, including imaginary ones.

    The modes are those of the halted structure, which need not be at rest (instantaneous normal modes: Stratt, Acc.
    Chem. Res. 28, 201 (1995)), with all but ``mode_atoms`` atoms fixed. As in normal-mode sampling (Smith, Isayev and
    Roitberg, Chem. Sci. 8, 3192 (2017)), displacements are those of classical harmonic oscillators at a temperature: by
    equipartition each normal coordinate is a Gaussian of variance :math:`k_\mathrm{B} T / |\omega|^2`. Only the softest
    third of the modes is sampled.

    Parameters
    ----------
    site
        The halted structure, its epicenter, the temperature and the current potential.
    config
        Number of atoms, the temperature if it differs from that of the site, and the calculator of the Hessian.
    rng
        Random numbers.

    Yields
    ------
    Atoms
        Nothing if the forces are not finite, or all atoms of the region are frozen.

    Raises
    ------
    ConfigError
        If ``mode_calculator`` cannot be imported.
    """
    atoms = site.nearest(config.mode_atoms)
    if not len(atoms):  # all atoms around the epicenter are frozen
        return
    curvature = hessian(site.structure, atoms, hessian_calculator(site, config))
    if not np.isfinite(curvature).all():
        return
    modes = modes_of(curvature, site.structure.get_masses()[atoms])
    soft = np.flatnonzero(np.abs(modes.energies) > RIGID)[: max(1, int(SOFT_SHARE * len(modes.energies)))]
    widths = _widths(modes, units.kB * (config.candidate_temperature or site.temperature))[soft]
    while len(soft):
        moves = np.tensordot(widths * rng.normal(size=len(soft)), modes.directions[soft], axes=1)
        largest = np.linalg.norm(moves, axis=1).max()
        candidate = site.structure.copy()
        candidate.positions[atoms] += moves * min(1.0, MAX_DISPLACEMENT / largest)
        yield candidate


def hessian_calculator(site: Site, config: OTFConfig) -> BaseCalculator:
    """Create the calculator of the Hessian: ``mode_calculator``, or that of the current potential."""
    if not config.mode_calculator:
        return site.calculator()
    calculator: BaseCalculator = import_callable(
        config.mode_calculator, "OTFConfig.mode_calculator", "returns an ASE calculator"
    )()
    return calculator


def hessian(structure: Atoms, indices: np.ndarray, calculator: BaseCalculator) -> np.ndarray:
    """Compute the second derivatives of the energy by central differences of the forces.

    Parameters
    ----------
    structure
        The structure, which is not changed.
    indices : ndarray of int, shape (n,)
        Indices of the displaced atoms; 6 n evaluations.
    calculator
        Calculator of the forces.

    Returns
    -------
    ndarray, shape (3 n, 3 n)
        eV/Å^2, symmetric.
    """
    atoms = Atoms(structure.symbols, structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.calc = calculator
    rows = []
    for index in indices:
        for direction in range(3):
            forces = []
            for sign in (1, -1):
                atoms.positions = structure.positions
                atoms.positions[index, direction] += sign * STEP
                forces.append(forces_of(atoms)[indices].ravel())
            rows.append((forces[1] - forces[0]) / (2 * STEP))
    curvature = np.array(rows)
    symmetric: np.ndarray = (curvature + curvature.T) / 2
    return symmetric


def modes_of(curvature: np.ndarray, masses: np.ndarray) -> Modes:
    """Compute the normal modes of a Hessian.

    ASE's ``VibrationsData`` does the same, but imports pyplot and sorts the atoms.

    Parameters
    ----------
    curvature : ndarray, shape (3 n, 3 n)
        Hessian, eV/Å^2.
    masses : ndarray, shape (n,)
        Masses of the atoms, u.

    Returns
    -------
    Modes
    """
    weights = np.repeat(masses**-0.5, 3)
    squares, vectors = np.linalg.eigh(weights[:, None] * curvature * weights)
    energies = HBAR * np.sign(squares) * np.sqrt(np.abs(squares))
    return Modes(energies=energies, directions=(weights[:, None] * vectors).T.reshape(len(squares), -1, 3))


def _widths(modes: Modes, thermal_energy: float) -> np.ndarray:
    """Return the standard deviation of each normal coordinate, Å u^(1/2), limited by `MAX_DISPLACEMENT`."""
    with np.errstate(divide="ignore"):
        classical = np.sqrt(thermal_energy) * HBAR / np.abs(modes.energies)
    reach = np.linalg.norm(modes.directions, axis=2).max(axis=1)
    widths: np.ndarray = np.minimum(classical, MAX_DISPLACEMENT / reach)
    return widths
