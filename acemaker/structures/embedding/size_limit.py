"""A small cell for generation 0, when there is no potential yet that could relax or audit it."""

from __future__ import annotations

from collections import Counter

from ase import Atoms

from acemaker.config import EmbeddingConfig
from acemaker.errors import EmbeddingError
from acemaker.structures.embedding.cell import choose_cells, reach
from acemaker.structures.embedding.cut import cut
from acemaker.structures.embedding.surroundings import check_parent, surroundings
from acemaker.structures.geometry import closeness
from acemaker.structures.mask import ENERGY_COUNTS, MASK, STRESS_COUNTS

MATCHED = 0.5
"""Mismatch up to which a cell is a crystal's own and counts as a whole: hot crystals have 0.3, melts 0.8."""


def affordable(parent: Atoms, max_atoms: int, config: EmbeddingConfig | None = None) -> Atoms:
    """Take a structure as it is, or cut a small commensurate cell out of it.

    Parameters
    ----------
    parent
        The initial structure.
    max_atoms
        What the oracle affords.
    config
        Sizes; the defaults if None.

    Returns
    -------
    Atoms
        `parent` itself where it is small enough. Else a cell around an atom of its rarest element: a supercell of a
        crystal's own lattice, as a rule. Where there is no lattice, or a surface is cut off, it has a mask.

    Raises
    ------
    EmbeddingError
        If the parent is not periodic, has vacuum in more than one direction, or leaves no room for a cell.
    """
    if len(parent) <= max_atoms:
        return parent
    check_parent(parent)
    config = config or EmbeddingConfig()
    symbols = parent.get_chemical_symbols()
    counts = Counter(symbols)
    centre = symbols.index(min(sorted(counts), key=lambda symbol: counts[symbol]))
    near = surroundings(parent, centre, reach(max_atoms, surroundings(parent, centre, 0.1).spacing))
    cells = choose_cells(near, max(1, round(config.embed_least * max_atoms)), max_atoms, config.embed_vacuum)
    if not cells:
        raise EmbeddingError(
            f"no cell of up to {max_atoms} atoms fits into the {len(parent)} atoms of the initial structure; raise "
            "max_atoms or lower embed_least"
        )
    piece = cut(near, cells[0], closeness(parent).share * 0.999)
    made = piece.structure
    window, slab = cells[0].window, near.slab
    cut_below = window is not None and slab is not None and window[1] - window[0] < slab.top - slab.bottom
    if cells[0].mismatch > MATCHED or cut_below:
        made.arrays[MASK] = piece.distances <= max(cells[0].radius - config.core_margin, 1.5 * near.spacing)
        made.info |= {ENERGY_COUNTS: False, STRESS_COUNTS: False}  # nothing has relaxed the seam
    return made
