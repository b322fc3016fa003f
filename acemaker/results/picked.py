"""What a click on an atom tells."""

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
"""Of the sum of two covalent radii: nearer atoms are neighbours. In copper 3.3 Å, before the second shell."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """An atom within bonding distance.

    Attributes
    ----------
    atom : int
        Its index; an image of the picked atom itself has the same one.
    element : str
        Its symbol.
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
        Its symbol.
    step : int or None
        Of the frame it belongs to.
    gamma : float
        Extrapolation grade, dimensionless.
    position : tuple of float
        Å.
    in_epicentre : bool
        Whether it is one of the atoms that the halt is about.
    neighbours : tuple of Neighbour
        Nearest first.
    """

    atom: int
    element: str
    step: int | None
    gamma: float
    position: tuple[float, ...]
    in_epicentre: bool
    neighbours: tuple[Neighbour, ...]

    def summary(self) -> Summary:
        """Return what the record says of itself."""
        place = ", ".join(f"{value:.2f}" for value in self.position)
        items = [
            ("gamma", number(self.gamma)),
            ("epicentre", "yes" if self.in_epicentre else "no"),
            ("position", f"{place} Å"),
            ("neighbours", f"{len(self.neighbours)} within bonding distance"),
        ]
        if self.step is not None:
            items.insert(0, ("step", str(self.step)))
        rows = tuple((str(one.atom), one.element, f"{one.distance:.3f}", number(one.gamma)) for one in self.neighbours)
        table = Table(("atom", "element", "bond / Å", "gamma"), rows) if rows else None
        return Summary(f"{self.element} atom {self.atom}", tuple(items), table)


def pick(atoms: Atoms, index: int, epicentre: np.ndarray) -> Picked:
    """Look at one atom.

    Parameters
    ----------
    atoms
        The whole structure, ``arrays["gamma"]`` per atom.
    index
        The atom.
    epicentre : ndarray of int
        Atoms of the epicentre.

    Returns
    -------
    Picked

    Raises
    ------
    StructureError
        If there is no such atom.
    """
    if not 0 <= index < len(atoms):
        raise StructureError(f"atoms are numbered 0 to {len(atoms) - 1}, there is no atom {index}")
    symbols, gamma = atoms.symbols, atoms.arrays["gamma"]
    radii = covalent_radii[atoms.numbers]
    if np.isfinite(atoms.positions).all():
        first, second, distances = pairs(atoms, BOND * float(radii[index] + radii.max()))
    else:  # of a run that blew up
        first, second, distances = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    bonded = (first == index) & (distances <= BOND * (radii[index] + radii[second]))
    order = np.lexsort((second[bonded], distances[bonded]))
    neighbours = tuple(
        Neighbour(atom=int(j), element=str(symbols[j]), distance=float(distance), gamma=float(gamma[j]))
        for j, distance in zip(second[bonded][order], distances[bonded][order], strict=True)
    )
    return Picked(
        atom=int(index),
        element=str(symbols[index]),
        step=atoms.info.get("step"),
        gamma=float(gamma[index]),
        position=tuple(float(value) for value in atoms.positions[index]),
        in_epicentre=bool(np.isin(index, epicentre)),
        neighbours=neighbours,
    )
