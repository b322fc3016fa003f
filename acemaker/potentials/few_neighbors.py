"""Atoms with fewer neighbors than any in the training set, which gamma does not detect.

The projections of an atom become small when its neighbors leave, and so does gamma: it is zero for an atom that has
left all others. Its energy is then the reference energy. If that is the energy of an isolated atom, it is exact; if it
was fitted to crystals, it is wrong by the cohesive energy. The energy between is an extrapolation in both cases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from acemaker.structures.isolated import neighbor_counts

SHARE = 0.8
"""Share of the smallest trained number of neighbors below which an atom is unknown. If the share were 1, a campaign
would halt at every new minimum, of which thermal motion finds ever smaller ones."""

SHARE_NEAR_KNOWN = 0.5
"""The same if the energy of an isolated atom is known: on the way there, gamma is large until the last neighbors are at
the cutoff, and the error is that of an interpolation."""


LARGE = 1e6
"""Gamma above any threshold, where infinity cannot be used."""


@dataclass(frozen=True)
class FewNeighbors:
    """The rule that gamma of an atom is infinite if it has clearly fewer neighbors than any atom in the training set.

    Parameters
    ----------
    cutoff
        Å, cutoff of the potential.
    least
        Smallest number of neighbors in the training set by element, of atoms with neighbors; empty to turn the rule
        off.
    alone_is_known
        Whether the reference energies are those of isolated atoms, so that atoms without neighbors are exact.

    Examples
    --------
    >>> from ase import Atoms
    >>> from acemaker.potentials.few_neighbors import FewNeighbors
    >>> atoms = Atoms("Cu4", [(0, 0, 0), (2.5, 0, 0), (5.1, 0, 0), (50, 0, 0)])
    >>> gamma = np.array([0.5, 0.7, 0.2, 0.0])
    >>> FewNeighbors(5.0, {"Cu": 2}).applied(atoms, gamma).tolist()
    [inf, 0.7, inf, inf]
    >>> FewNeighbors(5.0, {"Cu": 3}, alone_is_known=True).applied(atoms, gamma).tolist()
    [inf, 0.7, inf, 0.0]
    """

    cutoff: float
    least: Mapping[str, int] = field(default_factory=dict)
    alone_is_known: bool = False

    @property
    def limits(self) -> dict[str, int]:
        """Number of neighbors by element below which gamma is infinite; at least 1."""
        share = SHARE_NEAR_KNOWN if self.alone_is_known else SHARE
        return {element: max(1, math.ceil(share * least)) for element, least in self.least.items()}

    def applied(self, atoms: Atoms, gamma: np.ndarray) -> np.ndarray:
        """Return gamma with infinity for the atoms that have too few neighbors.

        Parameters
        ----------
        atoms
            Structure, fully periodic or not at all.
        gamma : ndarray, shape (n_atoms,)
            Extrapolation grades.

        Returns
        -------
        ndarray, shape (n_atoms,)
            `gamma` itself if the rule is off.
        """
        limits = self.limits
        if not limits or not np.isfinite(atoms.positions).all():
            return gamma
        counts = neighbor_counts(atoms, self.cutoff)
        few = counts < np.array([limits.get(symbol, 1) for symbol in atoms.symbols])
        if self.alone_is_known:
            few &= counts > 0
        return np.where(few, np.inf, gamma)

    def finite(self, atoms: Atoms, gamma: np.ndarray) -> np.ndarray:
        """Return the same as `applied`, with `LARGE` in place of infinity, for statistics and figures."""
        applied = self.applied(atoms, gamma)
        return gamma if applied is gamma else np.where(np.isposinf(applied), LARGE, applied)
