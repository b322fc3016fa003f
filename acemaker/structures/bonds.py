"""Ranges of neighbor distances in a training set, and distances outside of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.structures.computed import forces_of
from acemaker.structures.geometry import pairs
from acemaker.structures.isolated import neighbor_counts
from acemaker.structures.mask import mask_of


@dataclass(frozen=True, kw_only=True)
class Bond:
    """A neighbor distance outside the range of the training set.

    Attributes
    ----------
    atom, neighbor : int
        Indices of the two atoms.
    elements : tuple of str
        Elements of the two atoms.
    distance : float
        Å.
    trained : tuple of float
        Å, smallest and largest distance to the nearest neighbor for this pair of elements in the training set; NaN if
        it contains no such pair.
    """

    atom: int
    neighbor: int
    elements: tuple[str, str]
    distance: float
    trained: tuple[float, float]

    def __str__(self) -> str:
        """Return elements, distance, atoms and trained range."""
        low, high = self.trained
        trained = "no such pair" if np.isnan(low) else f"{low:.2f} to {high:.2f}"
        return f"{'–'.join(self.elements)} {self.distance:.2f} Å, atoms {self.atom} and {self.neighbor} ({trained})"


_STRUCTURE = "numbers", "positions", "cell", "pbc"


class TrainedDistances:
    """Ranges of the nearest-neighbor distance for each pair of elements in a training set.

    Shorter distances do not occur in the training set; an atom whose nearest neighbor is farther away than any in the
    set is also outside of it.

    Parameters
    ----------
    reach
        Å, cutoff of the potential.
    """

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._ranges: dict[tuple[str, str], tuple[float, float]] = {}
        self._least: dict[str, int] = {}
        self._calmest: Atoms | None = None
        self._smallest_force = np.inf
        self._forces = np.zeros(2)  # sum of squares, eV²/Å², and number of components

    @property
    def force_rms(self) -> float | None:
        """Root mean square of the force components of all labels, except those of masked atoms, meV/Å."""
        squares, count = self._forces.tolist()
        return 1e3 * float(np.sqrt(squares / count)) if count else None

    @property
    def calmest(self) -> Atoms | None:
        """The labeled structure with the smallest rms force, without its label; None before the first label.

        Structures with masked atoms, which are parts of larger ones, are not considered.
        """
        return self._calmest

    @property
    def shortest(self) -> dict[tuple[str, str], float]:
        """Shortest distance of each pair of elements, Å."""
        return {pair: low for pair, (low, _) in self._ranges.items()}

    @property
    def least_neighbors(self) -> dict[str, int]:
        """Smallest number of neighbors within the reach by element, of atoms that have any, sorted by symbol."""
        return dict(sorted(self._least.items()))

    @property
    def smallest(self) -> float:
        """Smallest distance of any pair, Å; infinity before the first structure."""
        return min((low for low, _ in self._ranges.values()), default=float("inf"))

    def state(self) -> dict[str, np.ndarray]:
        """Return the ranges as arrays by name."""
        return {
            "kinds": np.array(list(self._ranges)),
            "ranges": np.array(list(self._ranges.values())),
            "counted": np.array(list(self._least), dtype=str),
            "least": np.array(list(self._least.values()), dtype=int),
        } | self._calmest_state()

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        pairs_of = zip(state["kinds"].tolist(), state["ranges"].tolist(), strict=True)
        least = dict(zip(state["counted"].tolist(), state["least"].tolist(), strict=True))
        self._ranges = {(first, second): (low, high) for (first, second), (low, high) in pairs_of}
        self._least = least
        self._smallest_force = float(state["calmest force"])
        self._forces = np.array(state["forces"], dtype=float)
        self._calmest = None
        if np.isfinite(self._smallest_force):
            numbers, positions, cell, pbc = (state[f"calmest {name}"] for name in _STRUCTURE)
            self._calmest = Atoms(numbers, positions, cell=cell, pbc=pbc)

    def _calmest_state(self) -> dict[str, np.ndarray]:
        atoms = Atoms() if self._calmest is None else self._calmest
        values = (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
        arrays = {f"calmest {name}": np.array(array) for name, array in zip(_STRUCTURE, values, strict=True)}
        return arrays | {"calmest force": np.array(self._smallest_force), "forces": self._forces.copy()}

    def _add_forces(self, atoms: Atoms) -> None:
        """Add the forces of a label, and replace the calmest structure by it if its forces are smaller."""
        if atoms.calc is None:
            return
        forces, mask = forces_of(atoms), mask_of(atoms)
        self._forces += [float(np.sum((forces if mask is None else forces[mask]) ** 2)), 0.0]
        self._forces[1] += 3 * (len(atoms) if mask is None else int(np.sum(mask)))
        if mask is not None or len(atoms) < 2:
            return
        force = float(np.sqrt(np.mean(forces**2)))
        if force < self._smallest_force:
            self._smallest_force = force
            self._calmest = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)

    def add(self, atoms: Atoms) -> None:
        """Add the distances of a structure, except those around masked atoms."""
        self._add_forces(atoms)
        mask = mask_of(atoms)
        nearest = [(kind, d) for i, _, d, kind in zip(*self._nearest(atoms), strict=True) if mask is None or mask[i]]
        for kind in {kind for kind, _ in nearest}:
            distances = [distance for other, distance in nearest if other == kind]
            low, high = self._ranges.get(kind, (np.inf, 0.0))
            self._ranges[kind] = min(low, *distances), max(high, *distances)
        counts = neighbor_counts(atoms, self._reach)
        for index in range(len(atoms)) if mask is None else np.flatnonzero(mask):
            symbol, count = str(atoms.symbols[int(index)]), int(counts[index])
            if count:
                self._least[symbol] = min(count, self._least.get(symbol, count))

    def outside(self, atoms: Atoms, indices: Sequence[int] | np.ndarray) -> tuple[Bond, ...]:
        """List the distances around atoms that are outside the trained ranges.

        Parameters
        ----------
        atoms
            The structure.
        indices
            Indices of the atoms.

        Returns
        -------
        tuple of Bond
            All distances that are too short, and distances to nearest neighbors that are too long, sorted by their
            deviation in descending order.
        """
        first, second, distances = pairs(atoms, self._reach)
        symbols = np.array(atoms.get_chemical_symbols())
        selected = np.isin(first, indices)
        bonds = []
        for i, j, distance in zip(first[selected], second[selected], distances[selected], strict=True):
            low, _ = self._range(symbols[i], symbols[j])
            if not distance >= low:
                bonds.append(self._bond(int(i), int(j), symbols, float(distance)))
        for i, j, distance, kind in zip(*self._nearest(atoms), strict=True):
            if i in indices and distance > self._range(*kind)[1]:
                bonds.append(self._bond(i, j, symbols, distance))
        unique = {(min(bond.atom, bond.neighbor), max(bond.atom, bond.neighbor)): bond for bond in bonds}
        return tuple(sorted(unique.values(), key=_deviation, reverse=True))

    def _range(self, first: str, second: str) -> tuple[float, float]:
        return self._ranges.get((first, second), (np.nan, np.nan))

    def _bond(self, i: int, j: int, symbols: np.ndarray, distance: float) -> Bond:
        kind = str(symbols[i]), str(symbols[j])
        return Bond(atom=i, neighbor=j, elements=kind, distance=distance, trained=self._range(*kind))

    def _nearest(self, atoms: Atoms) -> tuple[list[int], list[int], list[float], list[tuple[str, str]]]:
        """Return the nearest neighbor of each element for each atom: both indices, the distance and the elements."""
        first, second, distances = pairs(atoms, self._reach)
        numbers, symbols = atoms.numbers, atoms.get_chemical_symbols()
        order = np.lexsort((distances, numbers[second], first))
        keys = np.stack([first[order], numbers[second[order]]], axis=1)
        chosen = order[np.unique(keys, axis=0, return_index=True)[1]]
        i, j = first[chosen].tolist(), second[chosen].tolist()
        kinds = [(symbols[atom], symbols[neighbor]) for atom, neighbor in zip(i, j, strict=True)]
        return i, j, distances[chosen].tolist(), kinds


def _deviation(bond: Bond) -> float:
    """Return the deviation from the trained range, Å; infinity for a pair that is not in the training set."""
    low, high = bond.trained
    return float("inf") if np.isnan(low) else max(low - bond.distance, bond.distance - high)
