"""What a structure may carry that nothing here would keep: it is refused by name, never dropped."""

from __future__ import annotations

from collections import Counter

import numpy as np
from ase import Atoms
from ase.data import atomic_masses

from acemaker.errors import StructureError

MASS_TOLERANCE = 1e-3
"""Share by which a mass may differ from its element's: tables round differently, isotopes differ by more."""

MASS_COLUMNS = ("masses", "mass")
"""Arrays of masses in atomic mass units: ASE's, and a column of extended XYZ files that it keeps under its own name."""

FIXED_COLUMNS = ("fixed", "frozen", "fix", "selective_dynamics")
"""Columns of extended XYZ files by which people mark atoms that do not move; ASE keeps them, and fixes nothing."""


def check_supported(atoms: Atoms, where: str) -> None:
    """Refuse a structure with constraints, masses or occupancies that a campaign would not keep.

    Parameters
    ----------
    atoms
        The structure.
    where
        What it is, for the message: where it comes from.

    Raises
    ------
    StructureError
        It names what there is, on how many atoms, and what to do.
    """
    if held := _held(atoms):
        raise StructureError(
            f"{where} has constraints ({held}), which are not supported yet: all atoms would move. If that is meant, "
            "remove them (atoms.set_constraint(), the move_mask column of an extended XYZ file, 'Selective dynamics' "
            "of a POSCAR)"
        )
    for name in FIXED_COLUMNS:
        if name in atoms.arrays and np.asarray(atoms.arrays[name]).astype(bool).any():
            raise StructureError(
                f"{where} has a column '{name}', but fixed atoms are not supported yet: all atoms would move. If that "
                f"is meant, remove the column (del atoms.arrays[{name!r}])"
            )
    if other := _masses(atoms):
        raise StructureError(
            f"{where} has masses that are not those of its elements ({other}), which are not supported yet: isotopes "
            "would move as their elements do. If that is meant, remove the masses (del atoms.arrays['masses'], the "
            "column of an extended XYZ file, D of a CIF)"
        )
    if partial := _partial(atoms):
        raise StructureError(
            f"{where} has sites that are occupied in part ({partial}): decide for each which element it has, or none"
        )


def _held(atoms: Atoms) -> str:
    """Count by kind the constraints that hold something."""
    kinds: Counter[str] = Counter()
    for constraint in atoms.constraints:
        holds = getattr(constraint, "mask", True)  # a mask of atoms that may all move holds nothing
        indices = np.atleast_1d(getattr(constraint, "index", getattr(constraint, "a", [0])))
        if np.any(holds) and len(indices):
            kinds[type(constraint).__name__] += len(indices) if hasattr(constraint, "index") else 0
    return ", ".join(f"{kind} on {n} of {len(atoms)} atoms" if n else kind for kind, n in sorted(kinds.items()))


def _masses(atoms: Atoms) -> str:
    """List elements with masses of their own."""
    for name in MASS_COLUMNS:
        if name not in atoms.arrays:
            continue
        given, usual = np.asarray(atoms.arrays[name], dtype=float), atomic_masses[atoms.numbers]
        wrong = ~(np.abs(given - usual) <= MASS_TOLERANCE * usual)
        if wrong.any():
            number = atoms.numbers[wrong][0]
            of = wrong & (atoms.numbers == number)
            symbol = atoms.symbols[int(np.flatnonzero(of)[0])]
            return f"{int(of.sum())} {symbol} with {given[of][0]:g} instead of {usual[of][0]:g} u"
    return ""


def _partial(atoms: Atoms) -> str:
    """Name the first site that a CIF says to be shared, or empty in part."""
    occupancy = atoms.info.get("occupancy")
    for site in occupancy.values() if isinstance(occupancy, dict) else ():
        if isinstance(site, dict) and (len(site) > 1 or any(float(share) < 1 for share in site.values())):
            return ", ".join(f"{float(share):g} {symbol}" for symbol, share in site.items())
    return ""
