"""An unrelaxed surface: its energy, and the energy that it takes to remove an atom from it."""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.build import make_supercell
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis.cohesion import isolated_energies
from acemaker.analysis.measured import Measured, Value
from acemaker.analysis.samples import Crystal
from acemaker.structures.computed import energy_of

THICKNESS = 7.0
"""Å, minimum thickness of the slab."""

WIDTH = 5.0
"""Å, minimum distance of a removed atom from its images."""

VACUUM = 10.0
"""Å between the two surfaces."""

JOULE_PER_SQUARE_METER = units.J / units.m**2
"""eV/Å²."""


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of the largest."""
    return 3 + len(crystal.isolated), crystal.n_atoms * round(abs(float(np.linalg.det(_repeats(crystal)))))


def surface(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Cut the crystal at the third face of the conventional cell, and remove the outermost atom.

    No atom is relaxed, so that both calculators describe the same structures except for the lattice constant.

    Parameters
    ----------
    crystal
        The campaign's crystal, with its isolated atoms.
    calculator
        Must provide energies.
    relaxed
        The relaxed primitive cell.

    Returns
    -------
    Measured
        Mean energy of both surfaces of the slab, J/m²; the energy of the slab without an atom plus that of the isolated
        atom minus that of the slab, eV.
    """
    isolated = isolated_energies(crystal, calculator)
    perfect = relaxed.copy()
    perfect.calc = calculator
    slab = make_slab(relaxed, crystal)
    symbol = str(slab.symbols[-1])
    defective = slab[:-1]
    slab.calc = calculator
    energy = energy_of(slab)
    defective.calc = calculator
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    excess = (energy - energy_of(perfect) * len(slab) / len(perfect)) / (2 * area)
    removal = energy_of(defective) + isolated[symbol] - energy
    return Measured(
        values=(
            Value(name="surface energy (001)", unit="J/m²", value=excess / JOULE_PER_SQUARE_METER),
            Value(name=f"energy to remove {symbol} from it", unit="eV", value=removal),
        ),
        curves={"atoms": len(slab)},
    )


def make_slab(relaxed: Atoms, crystal: Crystal) -> Atoms:
    """Return a periodic slab whose last atom is the outermost one.

    Parameters
    ----------
    relaxed
        The relaxed primitive cell.
    crystal
        The crystal, which defines the conventional cell.
    """
    slab = make_supercell(relaxed, _repeats(crystal))
    slab.wrap(eps=1e-6)
    cell = slab.cell.array
    normal = np.cross(cell[0], cell[1])
    normal *= np.sign(normal @ cell[2]) / np.linalg.norm(normal)
    slab.set_cell([cell[0], cell[1], normal * (normal @ cell[2] + VACUUM)])
    heights = np.round(slab.positions @ normal, 6)
    # the same atom for both calculators: of equally high ones, the last one
    return slab[np.lexsort((np.arange(len(slab)), heights))]


def _repeats(crystal: Crystal) -> np.ndarray:
    """Return the vectors of the slab in those of the primitive cell, without vacuum."""
    cell = crystal.repeats @ crystal.primitive.cell.array
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    shortest = np.array([WIDTH, WIDTH, THICKNESS])
    repeats: np.ndarray = np.diag(np.maximum(np.ceil(shortest / heights - 1e-3), 1).astype(int)) @ crystal.repeats
    return repeats
