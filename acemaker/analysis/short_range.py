"""Energies of a campaign's potential at distances shorter than any in its training set."""

from __future__ import annotations

import numpy as np

from acemaker.errors import StateError
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.basis import Basis
from acemaker.potentials.holes import ShortRange, remedy, sorted_holes
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.short_range import ace_sampler, search
from acemaker.potentials.threads import single_threaded
from acemaker.structures.bonds import TrainedDistances


@single_threaded
def short_range_of(campaign: CampaignReader) -> ShortRange:
    """Evaluate the potential in use at short distances, as it is done after every fit, and list its holes.

    Pairs of atoms approach each other in vacuum and in the crystal, down to half of a bond length, and the cell is
    compressed to 0.85 of its length. No label is computed.

    Parameters
    ----------
    campaign
        A campaign with a generation.

    Returns
    -------
    ShortRange

    Raises
    ------
    StateError
        If there is no generation yet.
    EngineError
        If the baseline cannot be evaluated at short distances.

    Examples
    --------
    >>> from acemaker.analysis import short_range_of
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> len(short_range_of(campaign).scans)
    3
    """
    generation = campaign.generation
    if generation is None:
        raise StateError("there is no potential to evaluate yet; run campaign.prepare() first")
    distances = TrainedDistances(generation.cutoff)
    for atoms in campaign.trained_on():
        distances.add(atoms)
    basis = Basis(load_pyace().ACEBBasisSet(str(generation.yaml)))
    with np.load(generation.asi) as arrays:
        inverses = [arrays[element] for element in basis.elements]
    sample = ace_sampler(basis, inverses, generation.baseline)
    scans = search(sample, basis.elements, generation.cutoff, distances.shortest, distances.calmest)
    return ShortRange(
        name=f"generation {generation.number}",
        scans=scans,
        remedy=remedy(sorted_holes(scans), generation.elements, generation.baseline, distances.shortest),
    )
