"""The atom that was clicked in a viewer, and its neighbors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from acemaker.errors import StructureError
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, number
from acemaker.structures.geometry import pairs

BOND = 1.25
"""Maximum distance of neighbors per sum of their covalent radii; in copper 3.3 Å, below the second shell."""


@dataclass(frozen=True, kw_only=True)
class Neighbor:
    """An atom within bonding distance.

    Attributes
    ----------
    atom : int
        Its index; a periodic image of the picked atom has the same index.
    element : str
        Chemical symbol.
    distance : float
        Å.
    gamma : float
        Its extrapolation grade, dimensionless.
    """

    atom: int
    element: str
    distance: float
    gamma: float


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Picked(Record):
    """One atom of a structure.

    Attributes
    ----------
    atom : int
        Its index in the whole structure.
    element : str
        Chemical symbol.
    step : int or None
        MD step of the frame.
    gamma : float
        Extrapolation grade, dimensionless.
    position : tuple of float
        Å.
    in_epicenter : bool
        Whether it is in the epicenter of the halt.
    neighbors : tuple of Neighbor
        Nearest first.
    """

    atom: int
    element: str
    step: int | None
    gamma: float
    position: tuple[float, ...]
    in_epicenter: bool
    neighbors: tuple[Neighbor, ...]

    def summary(self) -> Summary:
        """Return the summary."""
        position = ", ".join(f"{value:.2f}" for value in self.position)
        items = [
            ("gamma", number(self.gamma)),
            ("epicenter", "yes" if self.in_epicenter else "no"),
            ("position", f"{position} Å"),
            ("neighbors", f"{len(self.neighbors)} within bonding distance"),
        ]
        if self.step is not None:
            items.insert(0, ("step", str(self.step)))
        rows = tuple(
            (str(neighbor.atom), neighbor.element, f"{neighbor.distance:.3f}", number(neighbor.gamma))
            for neighbor in self.neighbors
        )
        table = Table(("atom", "element", "bond / Å", "gamma"), rows) if rows else None
        return Summary(f"{self.element} atom {self.atom}", tuple(items), table)


def pick(atoms: Atoms, index: int, epicenter: np.ndarray) -> Picked:
    """Return one atom with its neighbors.

    Parameters
    ----------
    atoms
        The whole structure, with ``arrays["gamma"]``.
    index
        Index of the atom.
    epicenter : ndarray of int
        Atoms of the epicenter.

    Returns
    -------
    Picked

    Raises
    ------
    StructureError
        If there is no such atom.
    """
    if not 0 <= index < len(atoms):
        raise StructureError(f"expected the index of an atom, from 0 to {len(atoms) - 1}, got {index}")
    symbols, gamma = atoms.symbols, atoms.arrays["gamma"]
    radii = covalent_radii[atoms.numbers]
    if np.isfinite(atoms.positions).all():
        first, second, distances = pairs(atoms, BOND * float(radii[index] + radii.max()))
    else:  # of a run that diverged
        first, second, distances = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    bonded = (first == index) & (distances <= BOND * (radii[index] + radii[second]))
    order = np.lexsort((second[bonded], distances[bonded]))
    neighbors = tuple(
        Neighbor(atom=int(j), element=str(symbols[j]), distance=float(distance), gamma=float(gamma[j]))
        for j, distance in zip(second[bonded][order], distances[bonded][order], strict=True)
    )
    return Picked(
        atom=int(index),
        element=str(symbols[index]),
        step=atoms.info.get("step"),
        gamma=float(gamma[index]),
        position=tuple(float(value) for value in atoms.positions[index]),
        in_epicenter=bool(np.isin(index, epicenter)),
        neighbors=neighbors,
    )
