"""Suspicious distances of an initial structure: atoms on top of each other, and lengths in nm or bohr."""

from __future__ import annotations

import logging

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.units import Bohr
from scipy.spatial import cKDTree

from acemaker.errors import StructureError
from acemaker.structures.geometry import pairs

logger = logging.getLogger("acemaker")

TOO_CLOSE = 0.5
"""Pair distance in units of the sum of covalent radii below which atoms are on top of each other."""

LIKE_NM = 0.07, 0.2
"""Range of the typical distance to the nearest neighbor, in the same unit, if the lengths are in nm."""

LIKE_PM = 40.0
"""Distance between atoms without neighbors, in units of the sum of covalent radii, from which lengths are probably in
pm: those of bonds are then 80 to 150, those of atoms in an empty box are smaller."""

LIKE_BOHR = 1.6, 2.5
"""The same if the lengths are in bohr: 1.89 times those of bonds."""

SHARE = 0.9
"""Share of the atoms whose distances must be within `LIKE_BOHR`."""

FEWEST = 3
"""Minimum number of atoms of a cluster that make bohr certain; two may be a molecule that is pulled apart."""

NOBLE_GASES = (2, 10, 18, 36, 54, 86)
"""Atomic numbers of the elements whose distances are those of bonds in bohr."""

CRUSHED = 0.05
"""Radii of spheres around the atoms, in units of their covalent radii, that do not fit into a cell whose lengths are
wrong by orders of magnitude. Its neighbor lists would exhaust the memory."""

THINNEST = 1e-3
"""Smallest height of a cell in units of the largest covalent radius; thinner ones have too many periodic images."""

_PACKED = 0.6
"""Share of the volume of a solid that spheres of its covalent radii occupy, roughly."""

_STEPS = 0.15, 0.3, TOO_CLOSE, LIKE_BOHR[0], LIKE_BOHR[1]
"""Cutoffs of neighbor lists in units of the largest sum of radii: short ones first, since structures may be dense."""


def check_lengths(
    atoms: Atoms,
    where: str,
    *,
    closest: float = TOO_CLOSE,
    accepted: bool = False,
    remedy: str = "convert positions and cell to Å",
) -> None:
    """Check that the distances between atoms look like Å.

    Parameters
    ----------
    atoms
        The structure, periodic in all directions or in none.
    where
        Origin of the structure, for the message.
    closest
        Smallest allowed pair distance in units of the sum of covalent radii.
    accepted
        Whether the user has stated that the lengths are in Å; distances like those in bohr are then only logged.
    remedy
        What to do about lengths in another unit, which is inserted for ``{unit}``.

    Raises
    ------
    StructureError
        If the atoms do not fit into their cell, two atoms are closer, or the nearest neighbors of almost all atoms are
        as far away as if bonds were in bohr.

    Examples
    --------
    >>> from ase.build import bulk
    >>> check_lengths(bulk("Al"), "the structure")
    """
    if len(atoms) == 0 or not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return  # reported by other checks
    radii = covalent_radii[atoms.numbers]
    _check_volume(atoms, where, radii, remedy)
    shares = np.full(len(atoms), np.inf)
    for step in _STEPS:
        first, second, distances = pairs(atoms, 2 * step * float(radii.max()))
        of_pairs = distances / (radii[first] + radii[second])
        shares = np.full(len(atoms), np.inf)
        np.minimum.at(shares, first, of_pairs)
        if len(of_pairs) and of_pairs.min() < min(closest, TOO_CLOSE):
            _raise_close(where, first, second, distances, of_pairs, shares, remedy)
        if step >= LIKE_BOHR[0] and (shares < LIKE_BOHR[0]).mean() > 1 - SHARE:
            return
    if not np.isfinite(shares).any():
        _check_apart(atoms, where, radii, remedy, accepted=accepted)
    _check_bohr(atoms, where, shares, remedy, accepted=accepted)


def _check_apart(atoms: Atoms, where: str, radii: np.ndarray, remedy: str, *, accepted: bool) -> None:
    """Check that atoms without any neighbor are not as far apart as if lengths were in pm."""
    if atoms.pbc.all():
        spacing = float((atoms.cell.volume / len(atoms)) ** (1 / 3))
    elif len(atoms) > 1:
        spacing = float(np.median(cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]))
    else:
        return
    ratio = spacing / (2 * float(radii.mean()))
    if ratio < LIKE_PM:
        return
    message = (
        f"{where} has distances that look like pm instead of Å: its atoms are about {spacing:.3g} Å apart, {ratio:.3g} "
        "times the sum of their covalent radii"
    )
    if accepted:
        logger.warning(message)
        return
    remedy = remedy if "{unit}" not in remedy else "divide positions and cell by 100"
    raise StructureError(f"{message}; {remedy}. If they are in Å, set length_unit='angstrom'")


def _check_volume(atoms: Atoms, where: str, radii: np.ndarray, remedy: str) -> None:
    """Check without a neighbor list that the atoms, with small radii, fit into their cell or the box around them."""
    spheres = 4 / 3 * np.pi * float((radii**3).sum())
    # the box of a few atoms is hardly larger than they are, even if they are on top of each other
    volume = 4 * float(np.prod(np.ptp(atoms.positions, axis=0) + 2 * CRUSHED * radii.max()))
    space = "the box around its atoms"
    is_thin = False
    if atoms.pbc.all():
        heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
        is_thin = float(heights.min()) < THINNEST * float(radii.max())
        if atoms.cell.volume < volume or is_thin:
            volume, space = float(atoms.cell.volume), "its cell"
    if spheres * CRUSHED**3 > volume:
        if space != "its cell":
            raise StructureError(
                f"{where} has atoms on top of each other: {space} has {volume / len(atoms):.3g} Å³ per atom; the "
                "lengths are too small by orders of magnitude, e.g. in nm or m: correct the positions (lengths in Å)"
            )
        factor = 10.0 ** round(np.log10(spheres / _PACKED / volume) / 3)
        unit = {10: "nm", 1e4: "µm", 1e8: "cm", 1e10: "m"}.get(factor)
        in_unit = f", as if they were in {unit}" if unit is not None else ""
        remedy = (
            remedy.format(unit=unit) if unit == "nm" else f"multiply them by {factor:g}; acemaker's lengths are in Å"
        )
        raise StructureError(
            f"{where} has atoms on top of each other: its cell has {volume / len(atoms):.3g} Å³ per atom, spheres of "
            f"the covalent radii have {spheres / len(atoms):.3g} Å³; the lengths are too small by a factor of about "
            f"{factor:g}{in_unit}: {remedy}"
        )
    if is_thin:
        raise StructureError(
            f"{where} has a cell whose smallest height is {heights.min():.3g} Å, so that its vectors are almost in a "
            f"plane: {np.round(atoms.cell.array, 6).tolist()}; correct the cell (lengths in Å)"
        )


def _raise_close(
    where: str,
    first: np.ndarray,
    second: np.ndarray,
    distances: np.ndarray,
    shares: np.ndarray,
    nearest: np.ndarray,
    remedy: str,
) -> None:
    pair = int(shares.argmin())
    typical = float(np.median(nearest))
    looks_like_nm = LIKE_NM[0] <= typical <= LIKE_NM[1]
    suspicion = (
        f"the distances look like nm instead of Å, a factor of 10: {remedy.format(unit='nm')}"
        if looks_like_nm
        else "correct the positions or the cell (lengths in Å)"
    )
    raise StructureError(
        f"{where} has atoms on top of each other: atoms {first[pair]} and {second[pair]} are {distances[pair]:.3f} Å "
        f"apart, {shares[pair]:.2f} of the sum of their covalent radii; {suspicion}"
    )


def _check_bohr(atoms: Atoms, where: str, shares: np.ndarray, remedy: str, *, accepted: bool) -> None:
    bonded = shares[~np.isin(atoms.numbers, NOBLE_GASES)]
    low, high = LIKE_BOHR
    if not len(bonded) or ((bonded >= low) & (bonded <= high)).mean() < SHARE:
        return
    typical = float(np.median(bonded))
    message = (
        f"{where} has distances that look like bohr instead of Å: the nearest neighbors of its atoms are at "
        f"{typical:.2f} times the sum of their covalent radii, {typical * Bohr:.2f} times if lengths are multiplied by "
        f"{Bohr:.4f}"
    )
    if accepted or (len(bonded) < FEWEST and not atoms.pbc.any()):
        logger.warning(message)
        return
    raise StructureError(f"{message}; {remedy.format(unit='bohr')}. If they are in Å, set length_unit='angstrom'")
