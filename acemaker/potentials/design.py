"""The design matrix of a linear ACE: the contribution of each basis function to energy, forces and virial."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain

import numpy as np
from ase import Atoms

from acemaker.potentials.basis import Basis
from acemaker.potentials.environment import environment, unfolded
from acemaker.potentials.pyace_library import load_pyace
from acemaker.utils.garbage_collection import collection_paused

CACHE_SIZE = 32
"""Number of structures whose projections are cached."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Design-matrix rows of one structure, for one unit of each linear coefficient.

    Attributes
    ----------
    energy : ndarray, shape (n_coefficients,)
        eV/atom.
    forces : ndarray, shape (3 n_atoms, n_coefficients)
        eV/Å; the components of each atom are consecutive.
    virial : ndarray, shape (6, n_coefficients)
        ``-sum(r f)`` per atom in ASE's Voigt order, eV/atom: stress times volume divided by the number of atoms.
    projections : tuple of ndarray, shape (n_atoms of the element, n_functions of the element)
        B-projections by element.
    """

    energy: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    projections: tuple[np.ndarray, ...]


class DesignBuilder:
    """Computes design matrices with pyace.

    Parameters
    ----------
    basis
        The basis. The builder keeps references to it and to the evaluator, since pyace's calculator does not.
    """

    def __init__(self, basis: Basis) -> None:
        pyace = load_pyace()
        self.basis = basis
        self._evaluator = pyace.ACEBEvaluator(basis.basis_set)
        self._calculator = pyace.ACECalculator(self._evaluator)
        self._cache: OrderedDict[bytes, tuple[np.ndarray, ...]] = OrderedDict()

    @collection_paused()  # pyace returns a list per atom and function, each of which could start a search
    def rows(self, atoms: Atoms) -> Design:
        """Compute the rows of a structure.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.

        Returns
        -------
        Design
        """
        basis, n_atoms = self.basis, len(atoms)
        env = environment(atoms, basis.elements, basis.cutoff)
        species = np.array(env.species_type[:n_atoms])
        free, origins = unfolded(env)
        self._calculator.compute(free, compute_projections=True, compute_b_grad=True)
        vectors = chain.from_iterable(self._calculator.forces_bfuncs)  # takes half the time of np.array
        extended_forces = np.fromiter(chain.from_iterable(vectors), float).reshape(-1, basis.size, 3)
        forces = np.zeros((n_atoms, basis.size, 3))
        np.add.at(forces, origins, extended_forces)
        virial = -np.einsum("ia,ikb->abk", np.array(free.x), extended_forces) / n_atoms
        projections = by_species(self._calculator.projections[:n_atoms], species, basis)
        energy = np.concatenate([block.sum(axis=0) for block in projections]) / n_atoms
        voigt = np.array([virial[a, b] for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))])
        return Design(
            energy=energy,
            forces=forces.transpose(0, 2, 1).reshape(3 * n_atoms, basis.size),
            virial=voigt,
            projections=projections,
        )

    @collection_paused()
    def forces(self, atoms: Atoms) -> np.ndarray:
        """Compute only the force rows of a structure, in half the time of `rows`, for structures without a label.

        Returns
        -------
        ndarray, shape (3 n_atoms, n_coefficients)
            eV/Å per unit coefficient; the components of each atom are consecutive.
        """
        env = environment(atoms, self.basis.elements, self.basis.cutoff)
        self._calculator.compute(env, compute_projections=True, compute_b_grad=True)
        vectors = chain.from_iterable(self._calculator.forces_bfuncs[: len(atoms)])
        forces = np.fromiter(chain.from_iterable(vectors), float).reshape(len(atoms), self.basis.size, 3)
        return forces.transpose(0, 2, 1).reshape(3 * len(atoms), self.basis.size)

    def projections(self, atoms: Atoms) -> tuple[np.ndarray, ...]:
        """Compute only the B-projections of a structure, which is much faster than computing its rows.

        They do not depend on the coefficients. Those of the last structures are cached, since candidates are first
        graded and then ranked.

        Returns
        -------
        tuple of ndarray, shape (n_atoms of the element, n_functions of the element)
            By element.
        """
        key = b"".join(array.tobytes() for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc))
        if key not in self._cache:
            env = environment(atoms, self.basis.elements, self.basis.cutoff)
            self._calculator.compute(env, compute_projections=True)
            species = np.array(env.species_type[: len(atoms)])
            self._cache[key] = by_species(self._calculator.projections, species, self.basis)
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return self._cache[key]


def by_species(projections: list[list[float]], species: np.ndarray, basis: Basis) -> tuple[np.ndarray, ...]:
    """Group the projections of atoms by element, in the order of the atoms."""
    return tuple(
        np.array([projections[atom] for atom in np.flatnonzero(species == index)]).reshape(-1, size)
        for index, size in enumerate(basis.n_functions)
    )
