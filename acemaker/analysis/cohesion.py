"""Cohesive energy: what it costs to take a crystal apart into isolated atoms."""

from __future__ import annotations

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from acemaker.analysis.measured import Measured, Value
from acemaker.analysis.samples import Crystal
from acemaker.structures.computed import energy_of


def calls(crystal: Crystal) -> tuple[int, int]:
    """Return the maximum number of calls, and the number of atoms of the largest."""
    return 1 + len(crystal.isolated), crystal.n_atoms


def cohesion(crystal: Crystal, calculator: BaseCalculator, relaxed: Atoms) -> Measured:
    """Compare the energy of the relaxed crystal with that of isolated atoms.

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
        Cohesive energy, eV/atom: energy of the isolated atoms minus that of the crystal.
    """
    isolated = isolated_energies(crystal, calculator)
    atoms = relaxed.copy()
    atoms.calc = calculator
    energy = sum(isolated[symbol] for symbol in atoms.symbols) - energy_of(atoms)
    return Measured(values=(Value(name="cohesive energy", unit="eV/atom", value=energy / len(atoms)),))


def isolated_energies(crystal: Crystal, calculator: BaseCalculator) -> dict[str, float]:
    """Return the energy of an isolated atom of each element by a calculator, eV."""
    energies = {}
    for atom in crystal.isolated:
        copy = atom.copy()
        copy.calc = calculator
        energies[str(atom.symbols[0])] = energy_of(copy)
    return energies
