"""Scans of linear ACEs, whose projections are computed once and serve all later fits.

The energy of an atom is the product of its projections and the coefficients, and its gamma that of its projections and
the inverse active set. The projections depend on the structure alone, so that the scan of another fit takes a
millisecond. Core repulsion is computed by pyace, for the atoms that feel it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from acemaker.potentials.active_set import gamma_of
from acemaker.potentials.basis import Basis
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.scans import ScanPath
from acemaker.potentials.short_range import environments


class PathProjections:
    """Projections of the atoms along a path, for all linear ACEs with the same functions.

    Parameters
    ----------
    path
        The path.
    basis
        A linear basis; its coefficients do not matter.
    """

    def __init__(self, path: ScanPath, basis: Basis) -> None:
        pyace = load_pyace()
        evaluator = pyace.ACEBEvaluator(basis.basis_set)
        calculator = pyace.ACECalculator(evaluator)
        rows: list[list[list[float]]] = [[] for _ in basis.elements]
        places: list[list[tuple[int, int]]] = [[] for _ in basis.elements]  # numbers of structure and atom
        for structure, env in enumerate(environments(path.structures, basis)):
            calculator.compute(env, compute_projections=True)
            projections, species = calculator.projections, env.species_type
            for atom, others in enumerate(env.neighbour_list[: env.n_atoms_real]):
                if others:  # without neighbors, all projections are zero
                    rows[species[atom]].append(projections[atom])
                    places[species[atom]].append((structure, atom))
        self._path = path
        self._rows = [np.array(block).reshape(-1, size) for block, size in zip(rows, basis.n_functions, strict=True)]
        self._places = [np.array(block, dtype=int).reshape(-1, 2) for block in places]

    def energies(self, potential: Basis, radii: Mapping[str, float]) -> np.ndarray:
        """Compute the total energies of the structures, up to a constant.

        Parameters
        ----------
        potential
            Basis with the coefficients and the core repulsion of the potential.
        radii
            Its core radii, Å, see `core_radii`; empty without core repulsion.

        Returns
        -------
        ndarray, shape (n,)
            eV.
        """
        n, coefficients = len(self._path.structures), np.array(potential.basis_set.basis_coeffs)
        replaced, energies = self._cores(potential, radii) if radii else (None, np.zeros(n))
        for rows, places, first in zip(self._rows, self._places, potential.offsets[:-1], strict=True):
            of_atoms = rows @ coefficients[first : first + rows.shape[1]]
            if replaced is not None:
                of_atoms[replaced[places[:, 0], places[:, 1]]] = 0.0
            energies += np.bincount(places[:, 0], of_atoms, minlength=n)
        return energies

    def gamma(self, inverses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the largest gamma of each structure.

        Parameters
        ----------
        inverses : sequence of ndarray, shape (n_functions, n_functions)
            Inverse active-set matrices by element.

        Returns
        -------
        ndarray, shape (n,)
        """
        gamma = np.zeros(len(self._path.structures))
        for grades, places in zip(gamma_of(self._rows, inverses), self._places, strict=True):
            np.maximum.at(gamma, places[:, 0], grades)
        return gamma

    def _cores(self, potential: Basis, radii: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the energies of the atoms with a neighbor within the core radius.

        Returns
        -------
        atoms : ndarray of bool, shape (n, n_atoms)
            Whether an atom has one.
        energies : ndarray, shape (n,)
            Sum of the energies of these atoms in each structure, eV.
        """
        pyace = load_pyace()
        evaluator = pyace.ACEBEvaluator(potential.basis_set)
        calculator = pyace.ACECalculator(evaluator)
        limits = _by_species(potential.elements, radii)
        structures = self._path.structures
        atoms, energies = np.zeros((len(structures), len(structures[0])), dtype=bool), np.zeros(len(structures))
        first = self._first_within(radii)
        if first == len(structures):
            return atoms, energies
        for number, env in enumerate(environments(structures[first:], potential), start=first):
            close = _close(env, limits)
            if len(close):
                atoms[number, close] = True
                calculator.compute(_around(env, close), compute_projections=False)
                energies[number] = calculator.energy
        return atoms, energies

    def _first_within(self, radii: Mapping[str, float]) -> int:
        """Return the number of structures at the beginning of the path in which no atoms are within a core radius."""
        path = self._path
        if path.kind == "push":  # the atom also approaches others
            return 0
        shares = [distance / radii["-".join(sorted(pair))] for pair, distance in path.closest.items()]
        within = path.lengths / path.lengths[0] * min(shares, default=np.inf) < 1
        return int(np.argmax(within)) if within.any() else len(within)


def _by_species(elements: Sequence[str], radii: Mapping[str, float]) -> np.ndarray:
    """Return core radii as a symmetric matrix, Å."""
    return np.array([[radii["-".join(sorted((first, second)))] for first in elements] for second in elements])


def _close(env: Any, limits: np.ndarray) -> np.ndarray:
    """Return the atoms with a neighbor within the core radius of the pair."""
    positions, species = np.array(env.x), np.array(env.species_type)
    first, second = cKDTree(positions).query_pairs(float(limits.max()), output_type="ndarray").T
    distances = np.linalg.norm(positions[first] - positions[second], axis=1)
    within = distances < limits[species[first], species[second]]
    atoms = np.unique(np.concatenate([first[within], second[within]]))
    real: np.ndarray = atoms[atoms < env.n_atoms_real]
    return real


def _around(env: Any, atoms: np.ndarray) -> Any:
    """Return an environment of some atoms and their neighbors, in which only these atoms have energies."""
    lists, positions, species = env.neighbour_list, np.array(env.x), np.array(env.species_type)
    of_atoms = [lists[atom] for atom in atoms.tolist()]
    others = np.setdiff1d(np.concatenate(of_atoms), atoms)
    order = np.concatenate([atoms, others]).astype(int)
    places = np.zeros(len(positions), dtype=int)
    places[order] = np.arange(len(order))
    part = load_pyace().ACEAtomicEnvironment()
    part.x, part.species_type = positions[order].tolist(), species[order].tolist()
    part.neighbour_list = [places[neighbors].tolist() for neighbors in of_atoms] + [[] for _ in others]
    part.origins = list(range(len(order)))
    part.n_atoms_real = part.n_atoms_extended = len(order)
    return part
