"""Magnetic moments with which an oracle starts: those of the atoms of a structure, and those set by element."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from acemaker.errors import StructureError
from acemaker.structures.per_atom import MOMENTS, bare_copy


def start_moments(atoms: Atoms, by_element: Mapping[str, float], source: str = "magnetic_moments") -> np.ndarray:
    """Return the moment with which each atom starts.

    The moment set for an element counts for atoms of the element that have none of their own, and replaces moments that
    are all equal, such as the guesses of ``ase.build.bulk``. With other elements, these must have the same sign.

    Parameters
    ----------
    atoms
        The structure, optionally with initial magnetic moments.
    by_element
        Moments in Bohr magnetons by chemical symbol.
    source
        Setting from which these come, for the message.

    Returns
    -------
    ndarray of float, shape (n_atoms,)
        Bohr magnetons.

    Raises
    ------
    StructureError
        If moments of the structure are vectors or not finite, or contradict the moment set for their element.

    Examples
    --------
    >>> from ase import Atoms
    >>> oxide = Atoms("FeFeO", magmoms=[2.5, -2.5, 0.0])
    >>> start_moments(oxide, {"O": 0.1}).tolist()
    [2.5, -2.5, 0.1]
    """
    own = moments_of(atoms)
    moments = own.copy()
    symbols = np.array(atoms.get_chemical_symbols())
    for element, moment in by_element.items():
        of_element = symbols == element
        values = own[of_element]
        if values.any() and not (np.ptp(values) < SAME and (values[0] * moment > 0 or (symbols == element).all())):
            several = ", ".join(f"{value:g}" for value in np.unique(values)[:4])
            raise StructureError(
                f"the structure has magnetic moments of {element} ({several} Bohr magnetons), and {source} sets "
                f"{moment:g} for all of its atoms; remove one of them: {source}, or the moments of the structure "
                "(atoms.set_initial_magnetic_moments(None))"
            )
        moments[of_element] = moment
    return moments


def moments_of(atoms: Atoms) -> np.ndarray:
    """Return the initial magnetic moments of a structure.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    ndarray of float, shape (n_atoms,)
        Bohr magnetons; zero without any.

    Raises
    ------
    StructureError
        If the moments are vectors or not finite numbers.
    """
    if MOMENTS not in atoms.arrays:
        return np.zeros(len(atoms))
    moments = np.asarray(atoms.arrays[MOMENTS])
    if moments.ndim > 1:
        raise StructureError(
            f"the initial magnetic moments of the structure are vectors (shape {moments.shape}): noncollinear "
            "magnetism is not supported; give one number per atom, in Bohr magnetons"
        )
    if moments.dtype.kind not in "fiub" or not np.isfinite(moments).all():
        raise StructureError(
            "the initial magnetic moments of the structure must be finite numbers in Bohr magnetons, got "
            f"{next((value for value in moments.tolist() if not np.isfinite(value)), moments[0])!r}"
            if moments.dtype.kind in "fiub"
            else f"the initial magnetic moments of the structure must be numbers, got {moments[0]!r}"
        )
    return moments.astype(float)


def with_start_moments(atoms: Atoms, by_element: Mapping[str, float]) -> Atoms:
    """Copy a structure with the moments with which an oracle starts, see `start_moments`.

    Parameters
    ----------
    atoms
        The structure.
    by_element
        Moments in Bohr magnetons by chemical symbol.

    Returns
    -------
    Atoms
        Without the array if all moments are zero.
    """
    copy = bare_copy(atoms)
    moments = start_moments(atoms, by_element)
    copy.arrays.pop(MOMENTS, None)
    if moments.any():
        copy.set_initial_magnetic_moments(moments)
    return copy


def collapse_remark(start: Atoms, labeled: Atoms, by_element: Mapping[str, float]) -> str:
    """Describe how the moments of a label differ from those with which its calculation started.

    Parameters
    ----------
    start
        The structure.
    labeled
        Its label.
    by_element
        Moments in Bohr magnetons by chemical symbol with which its calculation started.

    Returns
    -------
    str
        Empty if there is nothing to remark on. Otherwise, the number of atoms whose moment vanished or changed its
        sign, or the fact that the label has no moments.
    """
    moments = start_moments(start, by_element)
    magnetic = np.abs(moments) >= MAGNETIC
    if not magnetic.any() or labeled.calc is None:
        return ""
    results = labeled.calc.results
    final = np.asarray(results.get("magmoms"))
    if final.shape != moments.shape:  # vectors, or none
        total = np.asarray(results.get("magmom", 0.0), dtype=float)
        if total.size != 1 or abs(total.item()) >= MAGNETIC:
            return ""
        return (
            "it started with magnetic moments, and its result has none: check that the calculator is spin-polarized"
            if "magmom" not in results or abs(moments.sum()) >= MAGNETIC
            else ""
        )
    vanished = magnetic & (np.abs(final) < VANISHED * np.abs(moments))
    flipped = magnetic & ~vanished & (final * moments < 0)
    parts = [
        f"the moments of {int(mask.sum())} of {int(magnetic.sum())} magnetic atoms {what}"
        for mask, what in ((vanished, "vanished"), (flipped, "changed their sign"))
        if mask.any()
    ]
    return ", and ".join(parts)


SAME = 1e-6
"""Bohr magnetons; moments that differ less are equal."""

MAGNETIC = 0.1
"""Bohr magnetons; smaller initial moments are not expected to remain."""

VANISHED = 0.1
"""Fraction of its initial value below which a moment has vanished."""
