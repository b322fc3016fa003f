"""Small cells for the first generation, which are cut without a potential to relax or validate them."""

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
"""Largest mismatch of a supercell of the crystal, which needs no mask: hot crystals have 0.3, melts 0.8."""


def fit_to_oracle(parent: Atoms, max_atoms: int, config: EmbeddingConfig | None = None) -> Atoms:
    """Return a structure, or a small commensurate cell cut from it if it is too large for the oracle.

    Parameters
    ----------
    parent
        The initial structure.
    max_atoms
        Maximum number of atoms per label.
    config
        Sizes; the defaults if None.

    Returns
    -------
    Atoms
        `parent` itself if it is small enough. Otherwise a cell around an atom of its rarest element, which for a
        crystal is usually a supercell of its lattice. It has a mask if there is no lattice or a surface is cut off.

    Raises
    ------
    EmbeddingError
        If the parent is not periodic, has vacuum in more than one direction, or is too small for a cell.
    """
    if len(parent) <= max_atoms:
        return parent
    check_parent(parent)
    config = config or EmbeddingConfig()
    symbols = parent.get_chemical_symbols()
    counts = Counter(symbols)
    center = symbols.index(min(sorted(counts), key=lambda symbol: counts[symbol]))
    near = surroundings(parent, center, reach(max_atoms, surroundings(parent, center, 0.1).spacing))
    cells = choose_cells(near, max(1, round(config.embed_least * max_atoms)), max_atoms, config.embed_vacuum)
    if not cells:
        raise EmbeddingError(
            f"no cell of at most {max_atoms} atoms can be cut from the {len(parent)} atoms of the initial structure; "
            "raise max_atoms or lower embed_least"
        )
    piece = cut(near, cells[0], closeness(parent).share * 0.999)
    structure = piece.structure
    window, slab = cells[0].window, near.slab
    cut_below = window is not None and slab is not None and window[1] - window[0] < slab.top - slab.bottom
    if cells[0].mismatch > MATCHED or cut_below:
        structure.arrays[MASK] = piece.distances <= max(cells[0].radius - config.core_margin, 1.5 * near.spacing)
        structure.info |= {ENERGY_COUNTS: False, STRESS_COUNTS: False}  # the boundary is not relaxed
    return structure
