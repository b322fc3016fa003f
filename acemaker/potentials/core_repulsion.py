"""Repulsion of the nuclei at distances far below the training set, as part of the ACE's files.

The energy of an atom is switched from the ACE to the universal screened repulsion of the nuclei as its nearest neighbor
comes closer than the core radius. Above it, nothing changes: the switch is made after the fit, and the core radius is
below all trained distances. Gamma is that of the ACE in all cases.

Sources: J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Solids (Pergamon, 1985); the
switch is that of PACE, "ZBL core repulsion", which LAMMPS's ML-PACE has since version 2023.11.25 of its library.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase import Atoms

from acemaker.potentials.basis import Basis
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.scans import Distances, bond_lengths, symmetric

SHARES = 0.9, 0.95
"""Core radii that are tried, in units of the shortest trained distance; gamma is above 5 there as a rule."""

OF_BOND = 0.9
"""The same in units of the bond length, relative to `SHARES`: for pairs that were trained only at large distances, such
as two nitrogen atoms in a nitride, which may bind."""

WIDTH = 0.1
"""Width of the switch in units of the core radius."""


def core_radii(
    elements: tuple[str, ...], trained: Distances, reference: Atoms | None, cutoff: float, share: float = SHARES[0]
) -> dict[str, float]:
    """Return the core radius of each pair of elements.

    Parameters
    ----------
    elements
        Elements of the potential.
    trained
        Shortest trained distances, Å.
    reference
        Structure near equilibrium, from which bond lengths are taken; None for the sums of covalent radii.
    cutoff
        Å, of the potential.
    share
        Core radius in units of the shortest trained distance.

    Returns
    -------
    dict of str to float
        Å by pair, for example ``"Cu-Ni"``.

    Examples
    --------
    >>> core_radii(("Cu",), {("Cu", "Cu"): 2.0}, None, 5.0)
    {'Cu-Cu': 1.8}
    """
    shortest, bonds = symmetric(trained), bond_lengths(elements, reference, cutoff)
    return {
        "-".join(pair): round(float(share * min(shortest.get(pair, np.inf), OF_BOND * bonds[pair])), 3)
        for pair in combinations_with_replacement(sorted(elements), 2)
    }


def with_core(basis: Basis, radii: Mapping[str, float]) -> Basis:
    """Return a potential with core repulsion.

    Parameters
    ----------
    basis
        Basis with the coefficients of the potential.
    radii
        Core radii, Å, see `core_radii`.

    Returns
    -------
    Basis
        A copy with the same functions and coefficients.
    """
    pyace = load_pyace()
    configuration = basis.basis_set.to_BBasisConfiguration()
    for block in configuration.funcspecs_blocks:
        if block.number_of_species <= 2:
            _add_core(block, radii)
    return Basis(pyace.ACEBBasisSet(configuration))


def _add_core(block: Any, radii: Mapping[str, float]) -> None:
    """Add the repulsion to the functions of an element or of a pair."""
    elements = sorted(block.elements_vec)
    radius = radii["-".join(elements if len(elements) == 2 else elements * 2)]
    block.inner_cutoff_type = "zbl"
    block.core_rep_parameters = (1.0, 1.0)  # full strength
    block.r_in, block.delta_in = radius, WIDTH * radius
    block.rho_cut, block.drho_cut = 1.0, 1.0  # not used by this type
