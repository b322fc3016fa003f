"""Candidates by strain of the cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.structures.strategies.site import Site


def strain(site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    """Deform cell and positions by a random symmetric strain.

    The tensor is the symmetric part of a matrix of independent Gaussians with standard deviation ``strain_scale``: it
    has no preferred directions, changes volume and shape, and does not rotate the cell.

    Parameters
    ----------
    site
        The halted structure. The strain acts on all atoms, not only on the region, and on frozen atoms, too, which keep
        their places in the cell.
    config
        Standard deviation of the diagonal strains, dimensionless.
    rng
        Random numbers.

    Yields
    ------
    Atoms
        Nothing for a structure that is not periodic in all directions.
    """
    while site.structure.pbc.all():
        matrix = rng.normal(scale=config.strain_scale, size=(3, 3))
        candidate = site.structure.copy()
        candidate.set_cell(candidate.cell.array @ (np.eye(3) + (matrix + matrix.T) / 2), scale_atoms=True)
        yield candidate
