"""Energies of a campaign's potential at distances shorter than any in its training set."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from acemaker.errors import StateError
from acemaker.formatting.figures import Picture, draw
from acemaker.formatting.record import Record
from acemaker.formatting.summary import Summary, Table, counted, number
from acemaker.loop.reader import CampaignReader
from acemaker.potentials.baseline import Baseline
from acemaker.potentials.basis import Basis
from acemaker.potentials.holes import Hole, sorted_holes
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.scans import Scan
from acemaker.potentials.short_range_search import ShortRangeSearch
from acemaker.potentials.threads import single_threaded
from acemaker.structures.bonds import TrainedDistances

BELOW_BONDS, BELOW_TRAINED, INNER = 0.8, 0.85, 0.5
"""Outer cutoff of the repulsive baseline in units of the smallest sum of covalent radii and of the shortest trained
distance, whichever is shorter, and its inner cutoff in units of the outer one."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ShortRange(Record):
    """Energies of a potential at distances shorter than any in its training set, and the holes there.

    Attributes
    ----------
    name : str
        Name of the potential.
    scans : tuple of Scan
        Pairs in vacuum and in the crystal, and the compressed cell.
    remedy : str
        What to do about holes.

    Examples
    --------
    >>> from acemaker.testing import toy_campaign
    >>> campaign = toy_campaign()
    >>> short_range = campaign.short_range()
    >>> short_range.scans[0].name
    'Cu–Cu in vacuum'
    """

    name: str
    scans: tuple[Scan, ...]
    remedy: str = ""

    @property
    def holes(self) -> tuple[Hole, ...]:
        """All holes, the one with the lowest barrier first."""
        return sorted_holes(self.scans)

    def summary(self) -> Summary:
        """Return the content of the text and HTML forms."""
        holes = self.holes
        items = [("holes", counted(len(holes), "hole") if holes else f"none in {counted(len(self.scans), 'scan')}")]
        if holes and self.remedy:
            items.append(("remedy", self.remedy))
        rows = tuple(
            (
                hole.name,
                f"{hole.onset:.2f} to {hole.end:.2f}" + (" or less" if hole.bottomless else ""),
                "–" if math.isnan(hole.trained) else f"{hole.trained:.2f}",
                number(hole.barrier),
                number(hole.fall),
                number(hole.gamma),
            )
            for hole in holes
        )
        header = ("attractive", "from … to / Å (cell: share)", "trained from / Å", "barrier / eV", "fall / eV", "gamma")
        return Summary(f"Short range of {self.name}", tuple(items), Table(header, rows) if rows else None)

    def figure(self) -> Picture:
        """Draw energy and gamma of every scan against the distance, with the trained range."""
        return draw(self)


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
    search = ShortRangeSearch(basis, generation.baseline, distances.calmest)
    scans = search.scans(inverses, distances.shortest, generation.core_radii)
    return ShortRange(
        name=f"generation {generation.number}",
        scans=scans,
        remedy=remedy(sorted_holes(scans), generation.elements, generation.baseline, distances.shortest),
    )


def remedy(
    holes: Sequence[Hole], elements: Sequence[str], baseline: Baseline | None, trained: Mapping[tuple[str, str], float]
) -> str:
    """Return what to do about holes, with the parameters for these elements.

    Parameters
    ----------
    holes
        The holes.
    elements
        Elements in alphabetical order, which is that of LAMMPS's types.
    baseline
        Baseline of the potential, or None.
    trained
        Shortest distance of each pair of elements in the training set, Å.

    Examples
    --------
    >>> names = "onset", "end", "barrier", "fall", "trained", "gamma"
    >>> hole = Hole(kind="dimer", elements=("Cu", "Cu"), bottomless=True, **dict.fromkeys(names, 1.0))
    >>> remedy([hole], ["Cu"], None, {("Cu", "Cu"): 2.05})
    "of pairs: core_repulsion='auto', or a baseline: baseline_style='zbl 0.9 1.7', baseline_coeff=['* * 29 29']"
    """
    remedies = []
    if any(hole.kind != "compression" for hole in holes):
        style, coeff = zbl(elements, trained)
        if baseline is None:
            advice = f"core_repulsion='auto', or a baseline: baseline_style={style!r}, baseline_coeff={list(coeff)}"
        else:
            advice = f"change the baseline {baseline.name!r}, or add labels of short distances"
        remedies.append(f"of pairs: {advice}")
    if any(hole.kind == "compression" for hole in holes):
        remedies.append("of the compressed cell: try labels of compressed structures, by a larger first_strain")
    return "; ".join(remedies)


def zbl(elements: Sequence[str], trained: Mapping[tuple[str, str], float]) -> tuple[str, tuple[str, ...]]:
    """Return a repulsive baseline for elements: LAMMPS's ``pair_style zbl`` and its coefficients.

    It is zero above 0.85 of the shortest trained distance, where it would be something else to learn, and at least
    above 0.8 of the sum of the covalent radii of the smallest element.

    Parameters
    ----------
    elements
        Elements in alphabetical order, which is that of LAMMPS's types.
    trained
        Shortest distance of each pair of elements in the training set, Å.

    Returns
    -------
    style : str
        ``pair_style`` arguments.
    coeff : tuple of str
        Arguments of each ``pair_coeff``.

    Examples
    --------
    >>> zbl(("Cl", "Na"), {("Cl", "Na"): 2.3, ("Na", "Na"): 3.1, ("Cl", "Cl"): 3.2})
    ('zbl 0.8 1.6', ('1 1 17 17', '1 2 17 11', '2 2 11 11'))
    """
    numbers = [atomic_numbers[element] for element in elements]
    outer = BELOW_BONDS * 2 * min(float(covalent_radii[number]) for number in numbers)
    outer = min(outer, BELOW_TRAINED * min(trained.values(), default=np.inf))
    style = f"zbl {INNER * outer:.1f} {outer:.1f}"
    if len(numbers) == 1:
        return style, (f"* * {numbers[0]} {numbers[0]}",)
    types = itertools.combinations_with_replacement(range(len(numbers)), 2)
    return style, tuple(f"{first + 1} {second + 1} {numbers[first]} {numbers[second]}" for first, second in types)
