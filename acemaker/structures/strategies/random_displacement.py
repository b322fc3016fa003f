"""Candidates by random displacement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms

from acemaker.config import OTFConfig
from acemaker.structures.strategies.site import Site


def random_displacement(site: Site, config: OTFConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    """Displace every atom of the region by Gaussians with standard deviation ``perturbation_scale``.

    Parameters
    ----------
    site
        The halted structure and its region.
    config
        Standard deviation of the displacement in each direction, Å.
    rng
        Random numbers.

    Yields
    ------
    Atoms
        Nothing if all atoms of the region are frozen.
    """
    while len(site.region):
        candidate = site.structure.copy()
        candidate.positions[site.region] += rng.normal(scale=config.perturbation_scale, size=(len(site.region), 3))
        yield candidate
