"""Scans of short distances: structures in which atoms approach each other, and a potential's energies of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from vesin import ase_neighbor_list

from acemaker.structures.geometry import pairs

ScanKind = Literal["dimer", "push", "compression"]

KINDS: dict[ScanKind, str] = {
    "dimer": "in vacuum",
    "push": "in the crystal",
    "compression": "compressed cell",
}
"""Descriptions of the scans: two atoms alone, an atom pushed toward its neighbor, and all lengths scaled."""

Distances = Mapping[tuple[str, str], float]
"""Shortest distance in Å for each pair of elements in a training set; (A, B) and (B, A) are the same."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """Energy of a structure while distances become shorter.

    Attributes
    ----------
    kind, elements
        See `Hole`.
    lengths : ndarray, shape (n,)
        Å, the distance of the pair, in descending order; for a compressed cell its lengths relative to the start.
    energies : ndarray, shape (n,)
        eV, relative to the first one; per atom for a compressed cell.
    gamma : ndarray, shape (n,)
        Largest gamma of the atoms that are affected; NaN for a potential without gamma.
    shares : ndarray, shape (n,)
        The shortest distances in units of the shortest trained ones of the same pair, the smallest of all pairs in the
        structure; 0 for a pair that was not trained on.
    trained : float
        Å, see `Hole`.
    """

    kind: ScanKind
    elements: tuple[str, ...]
    lengths: np.ndarray
    energies: np.ndarray
    gamma: np.ndarray
    shares: np.ndarray
    trained: float

    @property
    def name(self) -> str:
        """What is scanned, e.g. ``Cu–Cu in vacuum``."""
        return f"{'–'.join(self.elements)} {KINDS[self.kind]}".strip()


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanPath:
    """Structures in which distances become shorter: a scan before a potential is evaluated.

    Attributes
    ----------
    kind, elements, lengths
        See `Scan`.
    structures : tuple of Atoms
        One per length.
    closest : mapping of (str, str) to float
        Å, the shortest distance of each pair of elements in the first structure; for a pair only its own.
    """

    kind: ScanKind
    elements: tuple[str, ...]
    lengths: np.ndarray
    structures: tuple[Atoms, ...]
    closest: Mapping[tuple[str, str], float]

    def scan(self, energies: np.ndarray, gamma: np.ndarray, trained: Distances) -> Scan:
        """Return the scan with the results of a potential.

        Parameters
        ----------
        energies, gamma : ndarray, shape (n,)
            Total energy, eV, and largest gamma of each structure.
        trained
            Shortest trained distances, Å.

        Returns
        -------
        Scan
        """
        shortest = symmetric(trained)
        is_cell = self.kind == "compression"
        if is_cell:
            shares = self.lengths * min(
                (r / shortest[pair] for pair, r in self.closest.items() if pair in shortest), default=np.inf
            )
        else:
            (pair,) = self.closest
            shares = self.lengths / shortest[pair] if pair in shortest else np.zeros(len(self.lengths))
        return Scan(
            kind=self.kind,
            elements=self.elements,
            lengths=self.lengths,
            energies=(energies - energies[0]) / (len(self.structures[0]) if is_cell else 1),
            gamma=gamma,
            shares=shares,
            trained=np.nan if is_cell else shortest.get(pair, np.nan),
        )


def pair_paths(elements: Sequence[str], cutoff: float, reference: Atoms | None) -> tuple[ScanPath, ...]:
    """Let two atoms of each pair of elements approach each other.

    In vacuum, they do so from the cutoff to half of their bond length. In the reference structure, one atom is pushed
    toward a neighbor, for each pair of elements that are neighbors there.

    Parameters
    ----------
    elements
        Elements of the potential.
    cutoff
        Å, from which on pairs do not interact, or not strongly.
    reference
        Structure near equilibrium; None for pairs in vacuum only.

    Returns
    -------
    tuple of ScanPath

    Examples
    --------
    >>> from ase.build import bulk
    >>> vacuum, crystal = pair_paths(["Cu"], 5.0, bulk("Cu", cubic=True))
    >>> vacuum.lengths[[0, -1]].round(2).tolist(), crystal.lengths[[0, -1]].round(2).tolist()
    ([5.0, 1.28], [2.55, 1.28])
    """
    bonds = {} if reference is None else _bonds(reference, cutoff)
    paths = []
    for pair, length in _lengths(elements, bonds).items():
        distances = _descending(max(cutoff, 1.5 * length), CLOSEST * length)
        dimers = [_boxed(Atoms(pair, [(0, 0, 0), (0, 0, shorter)]), distances[0]) for shorter in distances]
        paths.append(_pair_path("dimer", pair, distances, dimers))
    if reference is None:
        return tuple(paths)
    for pair, bond in bonds.items():
        distances = _descending(bond.distance, CLOSEST * bond.distance)
        cluster = _boxed(_cluster(reference, bond.atom, 2 * cutoff + bond.distance), cutoff)
        pushed = [_pushed(cluster, (bond.distance - shorter) * bond.direction) for shorter in distances]
        paths.append(_pair_path("push", pair, distances, pushed))
    return tuple(paths)


def compression_paths(cutoff: float, reference: Atoms | None) -> tuple[ScanPath, ...]:
    """Scale all lengths of the reference structure by 1 to 0.85; without one there is nothing to scale.

    Parameters
    ----------
    cutoff
        Å, largest distance that is compared with trained ones.
    reference
        Structure near equilibrium, or None.

    Returns
    -------
    tuple of ScanPath
        At most one.
    """
    if reference is None:
        return ()
    n_cells = int(np.clip(MOST_ATOMS // len(reference), FEWEST_COMPRESSED, N_COMPRESSED))
    scales = np.linspace(1.0, COMPRESSED, n_cells)
    structures = []
    for scale in scales:
        structure = Atoms(reference.numbers, reference.positions, cell=reference.cell, pbc=reference.pbc)
        structure.set_cell(reference.cell.array * scale, scale_atoms=False)
        structure.positions *= scale
        structures.append(structure)
    return (
        ScanPath(
            kind="compression",
            elements=(),
            lengths=scales,
            structures=tuple(structures),
            closest=_closest(reference, cutoff),
        ),
    )


def _pair_path(kind: ScanKind, pair: tuple[str, str], distances: np.ndarray, structures: Sequence[Atoms]) -> ScanPath:
    closest = {pair: float(distances[0])}
    return ScanPath(kind=kind, elements=pair, lengths=distances, structures=tuple(structures), closest=closest)


def _closest(atoms: Atoms, cutoff: float) -> dict[tuple[str, str], float]:
    """Return the shortest distance of each pair of elements in a structure, Å."""
    first, second, distances = pairs(atoms, cutoff)
    order = np.argsort(-distances, kind="stable")  # the last, which remains in the dictionary, is the shortest
    symbols = np.array(atoms.get_chemical_symbols())
    kinds = zip(symbols[first[order]].tolist(), symbols[second[order]].tolist(), strict=True)
    return dict(zip(kinds, distances[order].tolist(), strict=True))


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
    return _lengths(elements, {} if reference is None else _bonds(reference, cutoff))


def _lengths(elements: Sequence[str], bonds: Mapping[tuple[str, str], _Bond]) -> dict[tuple[str, str], float]:
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
