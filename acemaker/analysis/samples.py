"""What of a campaign's material is measured: its crystal, or its liquid."""

from __future__ import annotations

from acemaker.analysis.accuracy import signs_of_melting
from acemaker.analysis.crystal import find_crystal
from acemaker.analysis.measured import LeftOut
from acemaker.analysis.properties import Melt, Subject
from acemaker.loop.reader import CampaignReader
from acemaker.structures.geometry import closeness


def subject_of(name: str, campaign: CampaignReader) -> Subject:
    """Choose what a property is measured on.

    Parameters
    ----------
    name
        The property.
    campaign
        Whose initial structure, or last frame, it is.

    Raises
    ------
    StructureError, LeftOut
        If there is nothing to measure it on; says why.
    MissingLibraryError
        Without spglib.
    """
    if name != "liquid":
        return find_crystal(campaign.initial)
    start, frames = campaign.initial, campaign.trajectory()
    if not start.pbc.all():
        raise LeftOut("the structure is not periodic")
    if not frames:
        raise LeftOut("the campaign has no trajectory yet")
    nearest = closeness(start).distance
    if not signs_of_melting(start, frames, nearest).displacement > (nearest / 2) ** 2:
        raise LeftOut("the campaign's trajectory does not end in a liquid")
    engine = campaign.config.walker(1).engine
    return Melt(atoms=frames[-1], temperature=engine.temperature[1], timestep=engine.timestep)
