"""Magnetic moments in structure files: those that ASE reads as initial moments or as results, and those it does not."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
from ase import Atoms

from acemaker.errors import StructureError
from acemaker.structures.per_atom import MOMENTS

logger = logging.getLogger("acemaker")

COMPUTED = 1
"""Decimals, in Bohr magnetons, to which computed moments are rounded before they become initial ones: equivalent atoms
then start equally."""

MAX_BYTES = 10_000_000
"""Number of bytes of a file that are searched for moments."""

_FRACTION = re.compile(r"^[^!#\n]*\bstarting_magnetization\s*\(\s*\d+\s*\)\s*=\s*([-+\d.]+)", re.M | re.I)


def with_computed_moments(atoms: Atoms, where: str) -> Atoms:
    """Use the magnetic moments among the results of a structure as initial moments, if it has no initial ones.

    Parameters
    ----------
    atoms
        The structure, e.g. from an output of a program or an extended XYZ file with the column ``magmoms``.
    where
        Origin of the structure, for messages.

    Returns
    -------
    Atoms
        `atoms` itself if nothing changes, otherwise a copy without results.

    Raises
    ------
    StructureError
        If the moments are vectors.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.singlepoint import SinglePointCalculator
    >>> atoms = bulk("Fe", cubic=True)
    >>> atoms.set_initial_magnetic_moments(None)
    >>> atoms.calc = SinglePointCalculator(atoms, magmoms=[2.2134, -2.2135])
    >>> with_computed_moments(atoms, "the structure").get_initial_magnetic_moments().tolist()
    [2.2, -2.2]
    """
    results = getattr(atoms.calc, "results", None) or {}
    if results.get("magmoms") is None or (MOMENTS in atoms.arrays and np.any(atoms.arrays[MOMENTS])):
        return atoms
    moments = np.asarray(results["magmoms"], dtype=float)
    if not np.isfinite(moments).all() or not np.round(moments, COMPUTED).any():
        return atoms
    if moments.shape != (len(atoms),):
        raise StructureError(
            f"{where} has magnetic moments of shape {moments.shape} among its results: noncollinear magnetism is not "
            "supported. Set one initial moment per atom, in Bohr magnetons (atoms.set_initial_magnetic_moments), or "
            "remove them (atoms.calc = None)"
        )
    logger.info(f"{where}: the initial magnetic moments are its computed ones, rounded to 0.1 Bohr magnetons")
    copy = atoms.copy()
    copy.set_initial_magnetic_moments(np.round(moments, COMPUTED))
    return copy


def check_moments_of_file(path: Path, atoms: Atoms, where: str) -> None:
    """Check that a structure file has no magnetic moments that ASE reads wrongly or not at all.

    Parameters
    ----------
    path
        File of any format.
    atoms
        The structure that was read from it.
    where
        Origin of the structure, for the message.

    Raises
    ------
    StructureError
        For an input of pw.x with starting magnetizations, which are fractions of the valence electrons and of which ASE
        takes one per element, for an output of pw.x with spin of which ASE has not read the moments, and for a magnetic
        CIF.
    """
    with path.open("rb") as stream:
        text = stream.read(MAX_BYTES).decode(errors="replace")
    remedy = (
        "set magnetic_moments by element, e.g. {'Fe': 2.5}, or write the structure with initial moments in Bohr "
        "magnetons to an extended XYZ file (atoms.set_initial_magnetic_moments)"
    )
    fractions = _FRACTION.findall(text) if re.search(r"&system", text, re.I) else []
    if any(re.search(r"[1-9]", fraction) for fraction in fractions):
        raise StructureError(
            f"{where} is an input of pw.x with starting magnetizations, which are fractions of the valence electrons, "
            f"one per species, and are not converted; {remedy}"
        )
    if "Program PWSCF" in text and "Magnetic moment per site" in text and not atoms.has(MOMENTS):
        raise StructureError(
            f"{where} is an output of pw.x with spin, of whose version ASE does not read the moments; {remedy}"
        )
    if "_atom_site_moment" in text.lower():
        raise StructureError(f"{where} is a magnetic CIF, of which ASE does not read the moments; {remedy}")
