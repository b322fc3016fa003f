"""A scene as the text of a PDB file, which is what nglview's front end reads."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from acemaker.plotting.scale import Scale
from acemaker.plotting.scene import EDGES, Scene

ATOMS, CELL = "MOL", "CEL"
"""Residues of the atoms, and of the corners of the cell."""


def pdb_text(scene: Scene, scale: Scale) -> str:
    """Write a scene.

    The cell is not written as such: readers put it into a standard orientation of their own, with the atoms left where
    they are. Its corners are atoms of a residue of their own, joined by bonds, so that it is drawn as it is.

    Parameters
    ----------
    scene
        What to write.
    scale
        Brings gamma to the logarithm that stands in the column of the B-factor; raw values of 1000 or more
        would shift the columns behind it, and with them the elements.

    Returns
    -------
    str
    """
    # what a run that blew up has thrown out must not shift columns either
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
    place = "A   1" if residue == ATOMS else "B   2"
    return (
        f"HETATM{row + 1:5d} {symbol:>4s} {residue:3s} {place}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"{1.0:6.2f}{value:6.2f}          {symbol.upper():>2s}"
    )
