"""Holes of a potential at short distances: attraction where atoms repel each other.

A potential that was trained on thermal motion has never seen two atoms closer than the hottest collision. Below that
distance a linear fit is a polynomial: it may turn over and pull atoms into each other. Gamma is large there, but it is
not in the files that others use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acemaker.formatting.summary import counted, number
from acemaker.potentials.scans import KINDS, Scan, ScanKind

SHORTEST_BOND = 0.8
"""Share of the shortest trained distance at or above which a pair may have its bond although it repelled before: in
vacuum a pair is bound at another distance than among its neighbors."""

LEAST_FALL, LEAST_FALL_PER_ATOM = 0.05, 0.01
"""eV, and eV per atom for a compressed cell: smaller rises and falls of the energy are ignored."""

LOWEST = 1e12
"""eV, in place of energies that are not finite."""

KNOWN_GAMMA = 1.0
"""Gamma up to which a compressed cell is within the training set, whatever its energy does."""


@dataclass(frozen=True, kw_only=True)
class Hole:
    """A range of distances below the training set in which a potential is attractive.

    Attributes
    ----------
    kind : {"dimer", "push", "compression"}
        The scan, see `KINDS`.
    elements : tuple of str
        The two elements; empty for a compressed cell.
    onset, end : float
        Å: the pair is attractive from ``onset`` down to ``end``. For a compressed cell, lengths relative to those of
        the cell, dimensionless.
    barrier : float
        eV, per atom for a compressed cell: the energy at the onset above the lowest energy at larger distances. At a
        temperature T, a pair rarely crosses barriers far above ``10 k T``.
    fall : float
        eV, per atom for a compressed cell: the energy at the onset minus that at the end.
    bottomless : bool
        Whether the energy still falls at the end of the scan, half a bond length.
    trained : float
        Å, the shortest distance of this pair in the training set; NaN if it contains none, and for a compressed cell.
    gamma : float
        Largest gamma at the onset; NaN for a potential without gamma.
    """

    kind: ScanKind
    elements: tuple[str, ...]
    onset: float
    end: float
    barrier: float
    fall: float
    bottomless: bool
    trained: float
    gamma: float

    @property
    def name(self) -> str:
        """What is attractive, e.g. ``Cu–Cu in vacuum``."""
        return f"{'–'.join(self.elements)} {KINDS[self.kind]}".strip()

    def __str__(self) -> str:
        """Return one sentence with distances, barrier and gamma."""
        to = "at least " if self.bottomless else ""
        gamma = "" if math.isnan(self.gamma) else f", gamma {number(self.gamma)}"
        if self.kind == "compression":
            return (
                f"{self.name}: the energy falls from {self.onset - 1:+.0%} to {to}{self.end - 1:+.0%} of its lengths, "
                f"by {number(self.fall)} eV per atom behind a barrier of {number(self.barrier)} eV per atom{gamma}"
            )
        trained = "no such pair trained" if math.isnan(self.trained) else f"trained from {self.trained:.2f} Å"
        return (
            f"{self.name}: attractive from {self.onset:.2f} to {to}{self.end:.2f} Å, by {number(self.fall)} eV behind "
            f"a barrier of {number(self.barrier)} eV ({trained}{gamma})"
        )

    def comment(self) -> str:
        """Return the same in ASCII, for a LAMMPS input file."""
        return str(self).replace("Å", "Angstrom").replace("–", "-")

    @classmethod
    def read(cls, values: dict[str, Any]) -> Hole:
        """Create the hole from its fields in a ``.json``, in which NaN is null."""
        numbers = {
            name: math.nan if values[name] is None else float(values[name])
            for name in ("onset", "end", "barrier", "fall", "trained", "gamma")
        }
        if values["kind"] not in KINDS or not all(isinstance(name, str) for name in values["elements"]):
            raise ValueError(f"expected a kind of scan and elements, got {values['kind']!r} and {values['elements']!r}")
        bottomless = bool(values["bottomless"])
        return cls(kind=values["kind"], elements=tuple(values["elements"]), bottomless=bottomless, **numbers)

    def fields(self) -> dict[str, Any]:
        """Return the fields for a ``.json``."""
        values = dict(vars(self))
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()
        }


def holes_in(scan: Scan) -> tuple[Hole, ...]:
    """Find the holes of a scan.

    The energy of a pair falls toward its bond and rises at shorter distances. A fall is a *hole* if it reaches
    distances shorter than any in the training set, and

    - it does not end before half a bond length, or
    - the pair has repelled at a larger distance already, and this fall begins below the training set or ends below 0.8
      of its shortest distance.

    The single well of a pair that was never trained on, such as that of two nitrogen atoms for a nitride, is none. For
    a compressed cell, a fall is a hole if the energy has risen before and gamma at its end is above 1; or if it does
    not end and distances at its end are shorter than any in the training set. Rises and falls below 0.05 eV, for a
    compressed cell 0.01 eV per atom, are ignored.

    Parameters
    ----------
    scan
        The scan.

    Returns
    -------
    tuple of Hole
        The one at the largest distance first.

    Examples
    --------
    >>> import numpy as np
    >>> r = np.arange(5.0, 1.0, -0.05)
    >>> morse = (1 - np.exp(-1.5 * (r - 2.2))) ** 2 - 1
    >>> turned = np.where(r > 1.72, morse, 2 * morse[r > 1.72][-1] - morse)
    >>> trained = {"kind": "dimer", "elements": ("Cu", "Cu"), "trained": 2.0, "gamma": 0 * r, "shares": r / 2.0}
    >>> holes_in(Scan(energies=morse, lengths=r, **trained))
    ()
    >>> print(holes_in(Scan(energies=turned, lengths=r, **trained))[0])
    Cu–Cu in vacuum: attractive from 1.75 to at least 1.05 Å, by ... (trained from 2.00 Å, ...)
    """
    energies = np.where(np.isfinite(scan.energies), scan.energies, -LOWEST)
    is_cell = scan.kind == "compression"
    holes = []
    for first, last, has_risen in _falls(energies, LEAST_FALL_PER_ATOM if is_cell else LEAST_FALL):
        bottomless = last == len(energies) - 1
        if is_cell:
            beyond = scan.shares[last] < 1 if not has_risen else not scan.gamma[last] <= KNOWN_GAMMA
            is_hole = beyond and (bottomless or has_risen)
            onset = first
        else:
            repelled = has_risen and (scan.shares[first] < 1 or scan.shares[last] < SHORTEST_BOND)
            is_hole = scan.shares[last] < 1 and (bottomless or repelled)
            onset = max(first, int(np.argmax(scan.shares < 1)))
        if not is_hole:
            continue
        holes.append(
            Hole(
                kind=scan.kind,
                elements=scan.elements,
                onset=float(scan.lengths[onset]),
                end=float(scan.lengths[last]),
                barrier=float(energies[onset] - energies[: onset + 1].min()),
                fall=float(energies[onset] - energies[last]),
                bottomless=bottomless,
                trained=scan.trained,
                gamma=float(scan.gamma[onset]),
            )
        )
    return tuple(holes)


def _falls(energies: np.ndarray, least: float) -> list[tuple[int, int, bool]]:
    """Return the first and the last index of each fall, and whether the energy has risen before it.

    Extrema are those of a zigzag line that ignores changes smaller than `least`.
    """
    falls: list[tuple[int, int, bool]] = []
    low = high = 0
    direction, has_risen = 0, False
    for index in range(1, len(energies)):
        if energies[index] > energies[high]:
            high = index
        if energies[index] <= energies[low]:
            low = index
        if direction >= 0 and energies[high] - energies[index] > least:
            has_risen = has_risen or direction > 0
            falls.append((high, index, has_risen))
            direction, low = -1, index
        elif direction < 0:
            first, _, risen = falls[-1]
            falls[-1] = (first, low, risen)
            if energies[index] - energies[low] > least:
                direction, high = 1, index
        elif direction == 0 and energies[index] - energies[low] > least:
            direction, high = 1, index
    return falls


def sorted_holes(scans: Sequence[Scan]) -> tuple[Hole, ...]:
    """Return the holes of scans, the one with the lowest barrier first."""
    return tuple(sorted((hole for scan in scans for hole in holes_in(scan)), key=lambda hole: hole.barrier))


def pair_attraction(scans: Sequence[Scan]) -> float:
    """Return the total energy by which pairs of atoms attract each other in holes, eV; 0 for none."""
    return sum(hole.fall for scan in scans if scan.kind != "compression" for hole in holes_in(scan))


def describe_holes(holes: Sequence[Hole] | None) -> str:
    """Describe holes in one sentence.

    Parameters
    ----------
    holes
        Holes, the one with the lowest barrier first; None if they were not looked for.

    Examples
    --------
    >>> describe_holes(()), describe_holes(None)
    ('no hole', 'not searched for holes')
    """
    if holes is None:
        return "not searched for holes"
    if not holes:
        return "no hole"
    more = f"; {counted(len(holes) - 1, 'more hole')}" if len(holes) > 1 else ""
    return f"{holes[0]}{more}"
