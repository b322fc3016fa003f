"""The search for holes at short distances: pairs in vacuum and in the crystal, and a compressed cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from scipy.spatial import cKDTree
from vesin import ase_neighbor_list

from acemaker.potentials.active_set import gamma_of
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.design import by_species
from acemaker.potentials.environment import environment
from acemaker.potentials.holes import Scan, ScanKind
from acemaker.potentials.pyace_library import load_pyace
from acemaker.structures.computed import energy_of
from acemaker.structures.geometry import pairs

Sampler = Callable[[Sequence[Atoms]], tuple[np.ndarray, np.ndarray]]
"""Evaluates structures of a scan: energies in eV, and the largest gamma of each (NaN for a potential without gamma),
both of shape (n,)."""

Distances = Mapping[tuple[str, str], float]
"""Shortest distance in Å for each pair of elements in a training set; (A, B) and (B, A) are the same."""

Search = Callable[[Sampler, Sequence[str], float, Distances, Atoms | None], tuple[Scan, ...]]
"""Type of `search` and of its two parts."""

CLOSEST = 0.5
"""Shortest distance of a scan in units of the bond length."""

COMPRESSED = 0.85
"""Smallest lengths of the compressed cell in units of those of the start."""

STEP, N_DISTANCES = 0.1, 24
"""Largest step in Å between two distances of a pair, and minimum number of distances."""

N_COMPRESSED, FEWEST_COMPRESSED, MOST_ATOMS = 16, 7, 2500
"""Number of compressed cells, its minimum, and number of atoms in all of them above which there are fewer."""

BONDED = 1.25
"""An atom is pushed toward neighbors up to this multiple of the distance to its nearest one."""


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
    arguments = sample, elements, cutoff, trained, reference
    return search_pairs(*arguments) + search_compression(*arguments)


def search_pairs(
    sample: Sampler, elements: Sequence[str], cutoff: float, trained: Distances, reference: Atoms | None
) -> tuple[Scan, ...]:
    """Let two atoms of each pair of elements approach each other, with the parameters of `search`.

    In vacuum, they do so from the cutoff to half of their bond length. In the reference structure, one atom is pushed
    toward a neighbor, for each pair of elements that are neighbors there.
    """
    shortest = symmetric(trained)
    bonds = {} if reference is None else _bonds(reference, cutoff)
    scans = []
    for pair, length in bond_lengths(elements, reference, cutoff).items():
        distances = _descending(max(cutoff, 1.5 * length), CLOSEST * length)
        structures = [_boxed(Atoms(pair, [(0, 0, 0), (0, 0, shorter)]), distances[0]) for shorter in distances]
        scans.append(_scan(sample, "dimer", pair, distances, structures, shortest))
    if reference is None:
        return tuple(scans)
    for pair, bond in bonds.items():
        distances = _descending(bond.distance, CLOSEST * bond.distance)
        cluster = _boxed(_cluster(reference, bond.atom, 2 * cutoff + bond.distance), cutoff)
        structures = [_pushed(cluster, (bond.distance - shorter) * bond.direction) for shorter in distances]
        scans.append(_scan(sample, "push", pair, distances, structures, shortest))
    return tuple(scans)


def search_compression(
    sample: Sampler,
    elements: Sequence[str],  # noqa: ARG001  # as `search_pairs`
    cutoff: float,
    trained: Distances,
    reference: Atoms | None,
) -> tuple[Scan, ...]:
    """Scale all lengths of the reference structure by 1 to 0.85, with the parameters of `search`."""
    if reference is None:
        return ()
    shortest = symmetric(trained)
    n_cells = int(np.clip(MOST_ATOMS // len(reference), FEWEST_COMPRESSED, N_COMPRESSED))
    scales = np.linspace(1.0, COMPRESSED, n_cells)
    structures = []
    for scale in scales:
        structure = Atoms(reference.numbers, reference.positions, cell=reference.cell, pbc=reference.pbc)
        structure.set_cell(reference.cell.array * scale, scale_atoms=False)
        structure.positions *= scale
        structures.append(structure)
    energies, gamma = sample(structures)
    first, second, distances = pairs(reference, cutoff)
    symbols = reference.get_chemical_symbols()
    lengths = np.array([shortest.get((symbols[i], symbols[j]), np.inf) for i, j in zip(first, second, strict=True)])
    scan = Scan(
        kind="compression",
        elements=(),
        lengths=scales,
        energies=(energies - energies[0]) / len(reference),
        gamma=gamma,
        shares=scales * float((distances / lengths).min(initial=np.inf)),
        trained=float("nan"),
    )
    return (scan,)


@dataclass(frozen=True, kw_only=True)
class _Bond:
    """The shortest bond of two elements in a structure.

    Attributes
    ----------
    atom : int
        Index of the atom of the first element.
    distance : float
        Å.
    direction : ndarray, shape (3,)
        Unit vector from the atom to its neighbor.
    """

    atom: int
    distance: float
    direction: np.ndarray


def _bonds(atoms: Atoms, cutoff: float) -> dict[tuple[str, str], _Bond]:
    """Return the shortest bond of each pair of elements, sorted by symbols, that are neighbors in a structure."""
    first, second, vectors = (np.asarray(values) for values in ase_neighbor_list("ijD", atoms, float(cutoff)))
    distances = np.linalg.norm(vectors, axis=1)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, distances)
    bonded = distances <= BONDED * np.minimum(nearest[first], nearest[second])
    bonds: dict[tuple[str, str], _Bond] = {}
    for index in np.flatnonzero(bonded)[np.argsort(distances[bonded], kind="stable")]:
        atom, distance = int(first[index]), float(distances[index])
        pair = atoms.symbols[atom], atoms.symbols[int(second[index])]
        if pair == tuple(sorted(pair)) and pair not in bonds:
            bonds[pair] = _Bond(atom=atom, distance=distance, direction=vectors[index] / distance)
    return dict(sorted(bonds.items()))


def bond_lengths(elements: Sequence[str], reference: Atoms | None, cutoff: float) -> dict[tuple[str, str], float]:
    """Return the bond length of each pair of elements, sorted by symbols.

    Parameters
    ----------
    elements
        Elements.
    reference
        Structure near equilibrium: the length is the shortest distance of elements that are nearest neighbors there,
        or nearly so. It is the sum of the covalent radii for others, and for all if this is None.
    cutoff
        Å, largest distance of neighbors.

    Returns
    -------
    dict
        Å.

    Examples
    --------
    >>> from ase.build import bulk
    >>> lengths = bond_lengths(("Ga", "N"), bulk("GaN", "zincblende", a=4.5), 5.0)
    >>> {pair: round(length, 2) for pair, length in lengths.items()}
    {('Ga', 'Ga'): 2.44, ('Ga', 'N'): 1.95, ('N', 'N'): 1.42}
    """
    bonds = {} if reference is None else _bonds(reference, cutoff)
    return {
        pair: bonds[pair].distance if pair in bonds else _covalent(*pair)
        for pair in itertools.combinations_with_replacement(sorted(elements), 2)
    }


def _covalent(first: str, second: str) -> float:
    """Return the sum of two covalent radii, Å."""
    return float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])


def symmetric(trained: Distances) -> dict[tuple[str, str], float]:
    """Return distances in which (A, B) and (B, A) are the same, the smaller one."""
    shortest: dict[tuple[str, str], float] = {}
    for pair, distance in trained.items():
        for order in (pair, pair[::-1]):
            shortest[order] = min(distance, shortest.get(order, np.inf))
    return shortest


def _descending(longest: float, shortest: float) -> np.ndarray:
    """Return equidistant distances from the longest to the shortest one, Å."""
    return np.linspace(longest, shortest, max(N_DISTANCES, math.ceil((longest - shortest) / STEP) + 1))


def _cluster(atoms: Atoms, center: int, radius: float) -> Atoms:
    """Cut an atom, which becomes the first one, and its surroundings out of a structure."""
    first, second, vectors = ase_neighbor_list("ijD", atoms, float(radius))
    around = np.asarray(first) == center
    numbers = [atoms.numbers[center], *atoms.numbers[np.asarray(second, dtype=int)[around]]]
    return Atoms(numbers, np.vstack([np.zeros(3), np.asarray(vectors)[around]]))


def _boxed(atoms: Atoms, vacuum: float) -> Atoms:
    """Put a cluster into a box, which LAMMPS and other programs need; `vacuum` in Å."""
    atoms.positions += vacuum - atoms.positions.min(axis=0)
    atoms.set_cell(atoms.positions.max(axis=0) + vacuum)
    return atoms


def _pushed(cluster: Atoms, displacement: np.ndarray) -> Atoms:
    pushed = cluster.copy()
    pushed.positions[0] += displacement
    return pushed


def _scan(
    sample: Sampler,
    kind: ScanKind,
    pair: tuple[str, str],
    distances: np.ndarray,
    structures: Sequence[Atoms],
    shortest: Distances,
) -> Scan:
    energies, gamma = sample(structures)
    trained = shortest.get(pair, np.nan)
    return Scan(
        kind=kind,
        elements=pair,
        lengths=distances,
        energies=energies - energies[0],
        gamma=gamma,
        shares=np.zeros(len(distances)) if np.isnan(trained) else distances / trained,
        trained=trained,
    )


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
        first = structures[0]
        is_push = not first.pbc.any() and all(
            np.array_equal(atoms.numbers, first.numbers) and np.array_equal(atoms.positions[1:], first.positions[1:])
            for atoms in structures
        )
        if is_push:
            results = [evaluate(env) for env in _affected(structures, basis)]
        else:
            results = [evaluate(environment(atoms, basis.elements, basis.cutoff)) for atoms in structures]
        energies, gamma = np.array(results).T
        if baseline is not None:
            energies = energies + baseline.energies(structures)
        return energies, gamma

    return sample


def _affected(structures: Sequence[Atoms], basis: Basis) -> Iterator[Any]:
    """Yield environments of clusters whose first atom moves, in which only atoms with a changing energy have energies.

    The list of neighbors is the same for all of them.
    """
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
