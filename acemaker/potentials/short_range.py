"""Energies and gamma of potentials at short distances: an ACE with its baseline, or any ASE calculator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from acemaker.potentials.active_set import gamma_of
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import by_species
from acemaker.potentials.environment import environment
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.scans import Distances, Scan, ScanPath, compression_paths, pair_paths
from acemaker.structures.computed import energy_of

Sampler = Callable[[Sequence[Atoms]], tuple[np.ndarray, np.ndarray]]
"""Evaluates structures of a scan: energies in eV, and the largest gamma of each (NaN for a potential without gamma),
both of shape (n,)."""


def search(
    sample: Sampler, elements: Sequence[str], cutoff: float, trained: Distances, reference: Atoms | None
) -> tuple[Scan, ...]:
    """Evaluate a potential at short distances: `search_pairs` and `search_compression`.

    Parameters
    ----------
    sample
        Evaluates the potential.
    elements
        Its elements.
    cutoff
        Å, from which on pairs do not interact, or not strongly.
    trained
        Shortest trained distances, Å.
    reference
        Structure near equilibrium, for example the one whose label has the smallest forces; None for pairs in vacuum
        only.

    Returns
    -------
    tuple of Scan

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.lj import LennardJones
    >>> sample = calculator_sampler(lambda: LennardJones(sigma=3.4, epsilon=0.0104))
    >>> argon = bulk("Ar", "fcc", a=5.26, cubic=True)
    >>> scans = search(sample, ["Ar"], 5.0, {("Ar", "Ar"): 3.3}, argon)
    >>> [scan.name for scan in scans]
    ['Ar–Ar in vacuum', 'Ar–Ar in the crystal', 'compressed cell']
    """
    paths = pair_paths(elements, cutoff, reference) + compression_paths(cutoff, reference)
    return _scans(sample, paths, trained)


def search_pairs(
    sample: Sampler, elements: Sequence[str], cutoff: float, trained: Distances, reference: Atoms | None
) -> tuple[Scan, ...]:
    """Let two atoms of each pair of elements approach each other, see `pair_paths`; parameters as of `search`."""
    return _scans(sample, pair_paths(elements, cutoff, reference), trained)


def search_compression(
    sample: Sampler,
    elements: Sequence[str],  # noqa: ARG001  # as `search_pairs`
    cutoff: float,
    trained: Distances,
    reference: Atoms | None,
) -> tuple[Scan, ...]:
    """Scale all lengths of the reference structure by 1 to 0.85, with the parameters of `search`."""
    return _scans(sample, compression_paths(cutoff, reference), trained)


def _scans(sample: Sampler, paths: Sequence[ScanPath], trained: Distances) -> tuple[Scan, ...]:
    return tuple(path.scan(*sample(path.structures), trained) for path in paths)


def ace_sampler(basis: Basis, inverses: Sequence[np.ndarray] | None, baseline: Baseline | None) -> Sampler:
    """Return the sampler of an ACE and its baseline.

    Parameters
    ----------
    basis
        Basis with the coefficients of the potential.
    inverses : sequence of ndarray, shape (n_functions, n_functions)
        Inverse active-set matrices by element, from which gamma is computed; None for no gamma.
    baseline
        Baseline of the potential, or None.
    """
    pyace = load_pyace()
    evaluator = pyace.ACEBEvaluator(basis.basis_set)
    calculator = pyace.ACECalculator(evaluator)

    def evaluate(env: Any) -> tuple[float, float]:
        calculator.compute(env, compute_projections=inverses is not None)
        if inverses is None:
            return float(calculator.energy), np.nan
        near = [atom for atom, others in enumerate(env.neighbour_list[: env.n_atoms_real]) if others]
        if not near:
            return float(calculator.energy), 0.0
        rows = calculator.projections
        blocks = by_species([rows[atom] for atom in near], np.array(env.species_type)[near], basis)
        gamma = max(float(grades.max(initial=0.0)) for grades in gamma_of(blocks, inverses))
        return float(calculator.energy), gamma

    def sample(structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
        keep_alive = evaluator, basis  # pyace's calculator holds no references to them
        assert keep_alive
        energies, gamma = np.array([evaluate(env) for env in environments(structures, basis)]).T
        if baseline is not None:
            energies = energies + baseline.energies(structures)
        return energies, gamma

    return sample


def environments(structures: Sequence[Atoms], basis: Basis) -> Iterator[Any]:
    """Build the environments of a path for pyace.

    In clusters that differ only in their first atom, only atoms whose energies change have neighbors, and so energies.

    Parameters
    ----------
    structures
        Structures of the path.
    basis
        Basis of the potential.

    Yields
    ------
    pyace.ACEAtomicEnvironment
        Valid until the next one is requested.
    """
    first = structures[0]
    is_push = not first.pbc.any() and all(
        np.array_equal(atoms.numbers, first.numbers) and np.array_equal(atoms.positions[1:], first.positions[1:])
        for atoms in structures
    )
    if is_push:
        yield from _pushed_environments(structures, basis)
    else:
        yield from (environment(atoms, basis.elements, basis.cutoff) for atoms in structures)


def _pushed_environments(structures: Sequence[Atoms], basis: Basis) -> Iterator[Any]:
    """Yield environments of clusters whose first atom moves; the list of neighbors is the same for all of them."""
    pyace = load_pyace()
    rest, path = structures[0].positions[1:], np.array([atoms.positions[0] for atoms in structures])
    closest = np.linalg.norm(rest[:, None] - path[None], axis=2).min(axis=1)
    order = np.argsort(closest, kind="stable") + 1
    n_near = 1 + int((closest < basis.cutoff).sum())
    order = np.concatenate([[0], order])
    positions = structures[0].positions[order]
    lists = cKDTree(positions).query_ball_point(positions[1:n_near], basis.cutoff)
    neighbors = [list(range(1, n_near))]
    neighbors += [sorted({0, *others} - {index}) for index, others in enumerate(lists, start=1)]
    species = [basis.elements.index(symbol) for symbol in np.array(structures[0].get_chemical_symbols())[order]]
    env = pyace.ACEAtomicEnvironment()
    env.species_type = species
    env.neighbour_list = neighbors + [[] for _ in order[n_near:]]
    env.origins = list(range(len(order)))
    env.n_atoms_extended = len(order)
    env.n_atoms_real = len(order)  # as in `unfolded`: those without neighbors have a constant energy
    for position in path:
        positions[0] = position
        env.x = positions.tolist()
        yield env


def calculator_sampler(calculator: Callable[[], object]) -> Sampler:
    """Return the sampler of an ASE calculator, for example of an oracle, which has no gamma.

    Parameters
    ----------
    calculator
        Creates the calculator of a structure.
    """

    def sample(structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
        energies = []
        for structure in structures:
            atoms = structure.copy()
            atoms.calc = calculator()
            energies.append(energy_of(atoms))
        return np.array(energies), np.full(len(energies), np.nan)

    return sample
