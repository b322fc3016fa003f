"""A scene as the text of a PDB file for nglview's front end."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import EDGES, Scene

ATOMS, CELL = "MOL", "CEL"
"""Residue names of the atoms and of the corners of the cell."""


def pdb_text(scene: Scene, scale: Scale) -> str:
    """Return a scene as PDB text.

    The cell is not written as such, since readers rotate it into a standard orientation but not the atoms. Instead, its
    corners are written as atoms of a separate residue that are connected by bonds.

    Parameters
    ----------
    scene
        The scene.
    scale
        Scale of gamma; its logarithm is written into the column of the B-factor, since raw values of 1000 or more
        would shift the following columns with the elements.

    Returns
    -------
    str
    """
    # atoms that are far away after a run exploded must not shift columns either
    positions = np.clip(np.nan_to_num(scene.positions), -999.0, 9999.0)
    symbols = [chemical_symbols[number] for number in scene.numbers]
    logarithms = scale.logarithms(scene.gamma)
    lines = [_atom(row, symbols[row], ATOMS, positions[row], logarithms[row]) for row in range(len(symbols))]
    if scene.corners is not None:
        first = len(lines)
        lines += [_atom(first + a, "X", CELL, corner, 0.0) for a, corner in enumerate(scene.corners)]
        lines += [f"CONECT{first + start + 1:5d}{first + end + 1:5d}" for start, end in EDGES]
    return "\n".join([*lines, "END", ""])


def _atom(row: int, symbol: str, residue: str, position: np.ndarray, value: float) -> str:
    x, y, z = position
    chain = "A   1" if residue == ATOMS else "B   2"
    return (
        f"HETATM{row + 1:5d} {symbol:>4s} {residue:3s} {chain}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"{1.0:6.2f}{value:6.2f}          {symbol.upper():>2s}"
    )
