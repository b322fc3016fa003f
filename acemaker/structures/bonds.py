"""Which distances between neighbours a training set holds, and which it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from acemaker.structures.geometry import pairs
from acemaker.structures.mask import mask_of


@dataclass(frozen=True, kw_only=True)
class Bond:
    """A distance outside the training range.

    Attributes
    ----------
    atom, neighbour : int
        Indices of the two.
    elements : tuple of str
        Theirs.
    distance : float
        Å.
    trained : tuple of float
        Å, smallest and largest distance to the nearest neighbour of this kind in the training set; NaN where it
        holds no such pair.
    """

    atom: int
    neighbour: int
    elements: tuple[str, str]
    distance: float
    trained: tuple[float, float]

    def __str__(self) -> str:
        """Say it in a few words."""
        low, high = self.trained
        known = "no such pair" if np.isnan(low) else f"{low:.2f} to {high:.2f}"
        return f"{'–'.join(self.elements)} {self.distance:.2f} Å, atoms {self.atom} and {self.neighbour} ({known})"


class TrainedDistances:
    """The range of distances to the nearest neighbour of each kind, over a training set.

    Shorter distances than these have not been seen at all; an atom whose nearest neighbour is farther away than
    any in the set is as unknown.

    Parameters
    ----------
    reach
        Å, the potential's cutoff.
    """

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._ranges: dict[tuple[str, str], tuple[float, float]] = {}

    @property
    def smallest(self) -> float:
        """Smallest distance of any pair, Å; infinity before the first structure."""
        return min((low for low, _ in self._ranges.values()), default=float("inf"))

    def state(self) -> dict[str, np.ndarray]:
        """Return the ranges as arrays by name."""
        return {"kinds": np.array(list(self._ranges)), "ranges": np.array(list(self._ranges.values()))}

    def adopt(self, state: Mapping[str, np.ndarray]) -> None:
        """Undo `state`."""
        pairs_of = zip(state["kinds"].tolist(), state["ranges"].tolist(), strict=True)
        self._ranges = {(first, second): (low, high) for (first, second), (low, high) in pairs_of}

    def take_in(self, atoms: Atoms) -> None:
        """Add a structure; around atoms that its mask leaves out nothing is learnt."""
        mask = mask_of(atoms)
        known = [(kind, d) for i, _, d, kind in zip(*self._nearest(atoms), strict=True) if mask is None or mask[i]]
        for kind in {kind for kind, _ in known}:
            found = [distance for other, distance in known if other == kind]
            low, high = self._ranges.get(kind, (np.inf, 0.0))
            self._ranges[kind] = min(low, *found), max(high, *found)

    def outside(self, atoms: Atoms, indices: Sequence[int] | np.ndarray) -> tuple[Bond, ...]:
        """List what is outside the range around some atoms.

        Parameters
        ----------
        atoms
            A structure.
        indices
            Which of its atoms.

        Returns
        -------
        tuple of Bond
            Those that are too short, and nearest neighbours that are too far; the farthest outside first.
        """
        first, second, distances = pairs(atoms, self._reach)
        symbols = np.array(atoms.get_chemical_symbols())
        wanted = np.isin(first, indices)
        found = []
        for i, j, distance in zip(first[wanted], second[wanted], distances[wanted], strict=True):
            low, _ = self._range(symbols[i], symbols[j])
            if not distance >= low:
                found.append(self._bond(int(i), int(j), symbols, float(distance)))
        for i, j, distance, kind in zip(*self._nearest(atoms), strict=True):
            if i in indices and distance > self._range(*kind)[1]:
                found.append(self._bond(i, j, symbols, distance))
        unique = {(min(bond.atom, bond.neighbour), max(bond.atom, bond.neighbour)): bond for bond in found}
        return tuple(sorted(unique.values(), key=_beyond, reverse=True))

    def _range(self, first: str, second: str) -> tuple[float, float]:
        return self._ranges.get((first, second), (np.nan, np.nan))

    def _bond(self, i: int, j: int, symbols: np.ndarray, distance: float) -> Bond:
        kind = str(symbols[i]), str(symbols[j])
        return Bond(atom=i, neighbour=j, elements=kind, distance=distance, trained=self._range(*kind))

    def _nearest(self, atoms: Atoms) -> tuple[list[int], list[int], list[float], list[tuple[str, str]]]:
        """Find each atom's nearest neighbour of each element: the two, the distance, and the elements."""
        first, second, distances = pairs(atoms, self._reach)
        numbers, symbols = atoms.numbers, atoms.get_chemical_symbols()
        order = np.lexsort((distances, numbers[second], first))
        keys = np.stack([first[order], numbers[second[order]]], axis=1)
        chosen = order[np.unique(keys, axis=0, return_index=True)[1]]
        i, j = first[chosen].tolist(), second[chosen].tolist()
        kinds = [(symbols[one], symbols[other]) for one, other in zip(i, j, strict=True)]
        return i, j, distances[chosen].tolist(), kinds


def _beyond(bond: Bond) -> float:
    """How far outside, Å; a pair that was never seen comes first."""
    low, high = bond.trained
    return float("inf") if np.isnan(low) else max(low - bond.distance, bond.distance - high)
