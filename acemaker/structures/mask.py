"""What of a labelled structure is worth learning.

``arrays["mask"]`` says of each atom whether its forces and its environment count, ``info["energy_counts"]`` and
``info["stress_counts"]`` whether the energy and the stress do, to which all atoms contribute: with a mask only if they
are there and true. A structure without a mask counts as a whole. ``info["label_weight"]`` is its weight beside others,
1 where there is none. Extended XYZ files keep all of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from acemaker.errors import StructureError

MASK = "mask"
ENERGY_COUNTS = "energy_counts"
STRESS_COUNTS = "stress_counts"
LABEL_WEIGHT = "label_weight"


def mask_of(atoms: Atoms) -> np.ndarray | None:
    """Return which atoms count.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    ndarray of bool, shape (n_atoms,), or None
        None where all do.

    Raises
    ------
    StructureError
        If the mask is not one truth value an atom, or no atom counts.
    """
    mask: np.ndarray | None = atoms.arrays.get(MASK)
    if mask is None:
        return None
    if mask.dtype != bool or mask.shape != (len(atoms),):
        raise StructureError(
            f"expected arrays['{MASK}'] of {len(atoms)} truth values, got {mask.dtype} of shape {mask.shape}; "
            "True is for atoms whose forces count"
        )
    if not mask.any():
        raise StructureError(f"no atom of {len(atoms)} counts by arrays['{MASK}']; there is nothing to learn from it")
    return mask


def energy_counts(atoms: Atoms) -> bool:
    """Tell whether a structure's energy counts: without a mask always, with one if its info says so."""
    return mask_of(atoms) is None or bool(atoms.info.get(ENERGY_COUNTS, False))


def stress_counts(atoms: Atoms) -> bool:
    """Tell whether a structure's stress counts: without a mask always, with one if its info says so."""
    return mask_of(atoms) is None or bool(atoms.info.get(STRESS_COUNTS, False))


def weight_of(atoms: Atoms) -> float:
    """Return a structure's weight in a fit, beside 1 of one that says nothing.

    Raises
    ------
    StructureError
        If it is no positive number.
    """
    given = atoms.info.get(LABEL_WEIGHT, 1.0)
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = np.nan
    if not 0 < weight < np.inf:
        raise StructureError(
            f"expected a positive number as info['{LABEL_WEIGHT}'], got {given!r}; leave it out for a weight of 1"
        )
    return weight


def with_mask_of(source: Atoms, atoms: Atoms) -> Atoms:
    """Give a structure the mask and the weight of another with as many atoms.

    Parameters
    ----------
    source
        With or without a mask.
    atoms
        Without one, as a rule.

    Returns
    -------
    Atoms
        `atoms` itself where neither has them, else a copy with those of `source`, results included.
    """
    mask, weight = mask_of(source), weight_of(source)
    if mask is None and MASK not in atoms.arrays and weight == 1 and LABEL_WEIGHT not in atoms.info:
        return atoms
    made = atoms.copy()
    made.calc = atoms.calc
    made.arrays.pop(MASK, None)
    for name in (ENERGY_COUNTS, STRESS_COUNTS, LABEL_WEIGHT):
        made.info.pop(name, None)
    if weight != 1:
        made.info[LABEL_WEIGHT] = weight
    if mask is not None:
        made.arrays[MASK] = mask.copy()
        made.info[ENERGY_COUNTS] = energy_counts(source)
        made.info[STRESS_COUNTS] = stress_counts(source)
    return made


def counted_blocks(atoms: Atoms, elements: Sequence[str], blocks: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Leave out the environments of atoms that do not count.

    Parameters
    ----------
    atoms
        The structure.
    elements
        Elements of the basis.
    blocks : tuple of ndarray, shape (n_atoms of the element, ...)
        By element, in the order of the atoms.

    Returns
    -------
    tuple of ndarray
        `blocks` themselves where there is no mask.
    """
    mask = mask_of(atoms)
    if mask is None:
        return blocks
    return tuple(
        block[mask[atoms.numbers == atomic_numbers[element]]] for element, block in zip(elements, blocks, strict=True)
    )


def counted_symbols(atoms: Atoms) -> list[str]:
    """Return the chemical symbols of the atoms that count."""
    mask = mask_of(atoms)
    symbols: list[str] = atoms.get_chemical_symbols()
    return symbols if mask is None else [symbol for symbol, counts in zip(symbols, mask, strict=True) if counts]
