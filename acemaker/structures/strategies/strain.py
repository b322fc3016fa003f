"""Candidates by strain of the cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.structures.strategies.site import Site


def strain(site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    """Deform the cell by a random symmetric strain, atoms along with it.

    The tensor is the symmetric part of a matrix of independent Gaussians of ``strain_scale``: it has no preferred
    directions, changes volume and shape, and does not rotate.

    Parameters
    ----------
    site
        The anchor. A strain acts on all of it, whatever the region.
    config
        The standard deviation of the diagonal strains, dimensionless.
    rng
        Random numbers.

    Yields
    ------
    Atoms
        None for a structure that is not periodic in all directions.
    """
    while site.structure.pbc.all():
        drawn = rng.normal(scale=config.strain_scale, size=(3, 3))
        made = site.structure.copy()
        made.set_cell(made.cell.array @ (np.eye(3) + (drawn + drawn.T) / 2), scale_atoms=True)
        yield made
