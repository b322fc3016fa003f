"""What is to be drawn of a structure: which atoms, where, how far beyond, and the cell around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from acemaker.formatting.summary import number

LARGE = 3000
"""Atoms above which only a neighbourhood is drawn: more can be neither told apart nor turned smoothly."""

NEAR = 600
"""Atoms of a neighbourhood."""

DIRECTION = np.array([[0.9397, 0.0, -0.3420], [-0.1170, 0.9397, -0.3214], [0.3214, 0.3420, 0.8830]])
"""Rows: right, up and towards the eye, of live views to begin with and of their static twins."""

EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
"""Pairs of corners that the twelve edges of a cell join."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A structure as it is drawn.

    Attributes
    ----------
    positions : ndarray, shape (n, 3)
        Å; those of the structure but for lattice vectors.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    gamma : ndarray, shape (n,)
        Extrapolation grades, dimensionless.
    indices : ndarray of int, shape (n,)
        The structure's atom behind each.
    marked : ndarray of int, shape (n_marked,)
        Which of the n are in the epicentre.
    corners : ndarray, shape (8, 3), or None
        Å, of the cell as it is; None for what has no cell, or of which only a neighbourhood is drawn.
    caption : str
        One line: step, largest gamma, and what is left out.
    """

    positions: np.ndarray
    numbers: np.ndarray
    gamma: np.ndarray
    indices: np.ndarray
    marked: np.ndarray
    corners: np.ndarray | None
    caption: str


class Scenes:
    """The scenes of a structure at several checks: the same atoms in the same order, without jumps across the cell.

    Parameters
    ----------
    frames
        The structure at each check, ``arrays["gamma"]`` per atom.
    anchor
        Which of the frames decides what is drawn.
    epicentre : ndarray of int
        Atoms to be marked; may be empty.
    """

    def __init__(self, frames: Sequence[Atoms], anchor: int, epicentre: np.ndarray) -> None:
        self.frames = tuple(frames)
        atoms = self.frames[anchor]
        self.epicentre = np.asarray(epicentre, dtype=int)
        worst = int(np.nan_to_num(atoms.arrays["gamma"], nan=np.inf).argmax())
        self._periodic = bool(atoms.pbc.all())
        self._left_out = ""
        if len(atoms) <= LARGE:
            self.indices = np.arange(len(atoms))
            # a little below zero is zero, as for ASE, or half of a perfect crystal's faces would change sides
            offsets = (_scaled(atoms) + 1e-7) % 1.0 - 1e-7 if self._periodic else None
        else:
            vectors = atoms.positions - atoms.positions[worst]
            if self._periodic:
                vectors, distances = find_mic(vectors, atoms.cell)
            else:
                distances = np.linalg.norm(vectors, axis=1)
            self.indices = np.sort(np.argsort(distances, kind="stable")[:NEAR])
            offsets = vectors[self.indices] @ np.linalg.inv(atoms.cell.array) if self._periodic else None
            reach = distances[self.indices].max()
            seen = int(np.isin(self.epicentre, self.indices).sum())
            self._left_out = f"; {NEAR} of {len(atoms)} atoms, within {reach:.1f} Å of atom {worst}"
            if seen < len(self.epicentre):
                self._left_out += f", {seen} of {len(self.epicentre)} in the epicentre"
        self._offsets = offsets
        self.marked = np.flatnonzero(np.isin(self.indices, self.epicentre))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, check: int) -> Scene:
        atoms = self.frames[check]
        positions = atoms.positions[self.indices]
        if self._offsets is not None:
            moved = _scaled(atoms)[self.indices] - self._offsets
            positions = (self._offsets + moved - np.round(moved)) @ atoms.cell.array
        whole = len(self.indices) == len(atoms)
        return Scene(
            positions=positions,
            numbers=atoms.numbers[self.indices],
            gamma=atoms.arrays["gamma"][self.indices],
            indices=self.indices,
            marked=self.marked,
            corners=_corners(atoms) if whole and atoms.cell.rank == 3 else None,
            caption=self.caption(check),
        )

    def caption(self, check: int) -> str:
        """Say in one line what is drawn."""
        atoms = self.frames[check]
        gamma = np.nan_to_num(atoms.arrays["gamma"], nan=np.inf)
        worst = int(gamma.argmax())
        step = f", step {atoms.info['step']}" if "step" in atoms.info else ""
        largest = f"largest gamma {number(gamma[worst])}, {atoms.symbols[worst]} atom {worst}"
        return f"{atoms.get_chemical_formula()}{step}: {largest}{self._left_out}"


def _scaled(atoms: Atoms) -> np.ndarray:
    scaled: np.ndarray = np.nan_to_num(atoms.positions) @ np.linalg.inv(atoms.cell.array)
    return scaled


def _corners(atoms: Atoms) -> np.ndarray:
    corners: np.ndarray = np.array([[a & 1, a >> 1 & 1, a >> 2 & 1] for a in range(8)]) @ atoms.cell.array
    return corners
