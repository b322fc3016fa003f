"""Scenes: the atoms of a structure that are drawn, their positions and gamma, and the cell around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from acemaker.formatting.summary import number

LARGE = 3000
"""Number of atoms above which only a neighborhood is drawn: more cannot be distinguished or rotated smoothly."""

NEAR = 600
"""Number of atoms of a neighborhood."""

DIRECTION = np.array([[0.9397, 0.0, -0.3420], [-0.1170, 0.9397, -0.3214], [0.3214, 0.3420, 0.8830]])
"""Rows: right, up and toward the viewer, for the initial camera of live views and for their static fallbacks."""

EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
"""Pairs of corners that are connected by the twelve edges of a cell."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A structure as it is drawn.

    Attributes
    ----------
    positions : ndarray, shape (n, 3)
        Å; those of the structure up to lattice vectors.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    gamma : ndarray, shape (n,)
        Extrapolation grades, dimensionless.
    indices : ndarray of int, shape (n,)
        Index of each atom in the structure.
    marked : ndarray of int, shape (n_marked,)
        Indices among the n atoms of those in the epicenter.
    corners : ndarray, shape (8, 3), or None
        Å, corners of the cell; None if there is no cell, or only a neighborhood is drawn.
    caption : str
        One line: step, largest gamma, and the part of the structure that is drawn.
    """

    positions: np.ndarray
    numbers: np.ndarray
    gamma: np.ndarray
    indices: np.ndarray
    marked: np.ndarray
    corners: np.ndarray | None
    caption: str


class Scenes:
    """Scenes of a structure at several checks: the same atoms in the same order, without jumps across the cell.

    Parameters
    ----------
    frames
        The structure at each check, ``arrays["gamma"]`` per atom.
    halted
        Index of the frame that determines which atoms are drawn.
    epicenter : ndarray of int
        Atoms to mark; may be empty.
    """

    def __init__(self, frames: Sequence[Atoms], halted: int, epicenter: np.ndarray) -> None:
        self.frames = tuple(frames)
        atoms = self.frames[halted]
        self.epicenter = np.asarray(epicenter, dtype=int)
        worst = int(np.nan_to_num(atoms.arrays["gamma"], nan=np.inf).argmax())
        self._periodic = bool(atoms.pbc.all())
        self._left_out = ""
        if len(atoms) <= LARGE:
            self.indices = np.arange(len(atoms))
            # values slightly below zero count as zero, as in ASE, or atoms on a cell face would be drawn on either side
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
            n_drawn = int(np.isin(self.epicenter, self.indices).sum())
            self._left_out = f"; {NEAR} of {len(atoms)} atoms, within {reach:.1f} Å of atom {worst}"
            if n_drawn < len(self.epicenter):
                self._left_out += f", {n_drawn} of {len(self.epicenter)} in the epicenter"
        self._offsets = offsets
        self.marked = np.flatnonzero(np.isin(self.indices, self.epicenter))

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
        """Return a description of a scene in one line."""
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
