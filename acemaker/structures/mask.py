"""Masks and weights, which select the parts of a labeled structure that enter a fit.

``arrays["mask"]`` is True for atoms whose forces and environments count. With a mask, energy and stress, to which all
atoms contribute, count only if ``info["energy_counts"]`` and ``info["stress_counts"]`` exist and are true. Without a
mask the whole structure counts. ``info["label_weight"]`` is the weight of the structure relative to others, by default
1. Extended XYZ files store all of these.
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
    """Return the mask of a structure.

    Parameters
    ----------
    atoms
        The structure.

    Returns
    -------
    ndarray of bool, shape (n_atoms,), or None
        True for atoms that count; None if all atoms count.

    Raises
    ------
    StructureError
        If the mask is not one Boolean value per atom, or no atom counts.
    """
    mask: np.ndarray | None = atoms.arrays.get(MASK)
    if mask is None:
        return None
    if mask.dtype != bool or mask.shape != (len(atoms),):
        raise StructureError(
            f"expected arrays['{MASK}'] of {len(atoms)} Boolean values, got {mask.dtype} of shape {mask.shape}; "
            "set it to True for atoms whose forces count and to False for others"
        )
    if not mask.any():
        raise StructureError(
            f"arrays['{MASK}'] is False for all {len(atoms)} atoms; set it to True for at least one, or remove it"
        )
    return mask


def energy_counts(atoms: Atoms) -> bool:
    """Return whether the energy counts: always without a mask, otherwise if ``info["energy_counts"]`` is true."""
    return mask_of(atoms) is None or bool(atoms.info.get(ENERGY_COUNTS, False))


def stress_counts(atoms: Atoms) -> bool:
    """Return whether the stress counts: always without a mask, otherwise if ``info["stress_counts"]`` is true."""
    return mask_of(atoms) is None or bool(atoms.info.get(STRESS_COUNTS, False))


def weight_of(atoms: Atoms) -> float:
    """Return the weight of a structure in a fit, by default 1.

    Raises
    ------
    StructureError
        If the weight is not a positive number.
    """
    value = atoms.info.get(LABEL_WEIGHT, 1.0)
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = np.nan
    if not 0 < weight < np.inf:
        raise StructureError(
            f"expected a positive number as info['{LABEL_WEIGHT}'], got {value!r}; remove it for a weight of 1"
        )
    return weight


def with_mask_of(source: Atoms, atoms: Atoms) -> Atoms:
    """Return a structure with the mask and the weight of another with the same number of atoms.

    Parameters
    ----------
    source
        Structure with or without mask and weight.
    atoms
        Structure whose mask and weight are replaced.

    Returns
    -------
    Atoms
        `atoms` itself if neither structure has them, otherwise a copy, including results.
    """
    mask, weight = mask_of(source), weight_of(source)
    if mask is None and MASK not in atoms.arrays and weight == 1 and LABEL_WEIGHT not in atoms.info:
        return atoms
    copy = atoms.copy()
    copy.calc = atoms.calc
    copy.arrays.pop(MASK, None)
    for name in (ENERGY_COUNTS, STRESS_COUNTS, LABEL_WEIGHT):
        copy.info.pop(name, None)
    if weight != 1:
        copy.info[LABEL_WEIGHT] = weight
    if mask is not None:
        copy.arrays[MASK] = mask.copy()
        copy.info[ENERGY_COUNTS] = energy_counts(source)
        copy.info[STRESS_COUNTS] = stress_counts(source)
    return copy


def counted_blocks(atoms: Atoms, elements: Sequence[str], blocks: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Remove the environments of masked atoms.

    Parameters
    ----------
    atoms
        The structure.
    elements
        Elements of the basis.
    blocks : tuple of ndarray, shape (n_atoms of the element, ...)
        Environments by element, in the order of the atoms.

    Returns
    -------
    tuple of ndarray
        The other environments by element; `blocks` itself without a mask.
    """
    mask = mask_of(atoms)
    if mask is None:
        return blocks
    return tuple(
        block[mask[atoms.numbers == atomic_numbers[element]]] for element, block in zip(elements, blocks, strict=True)
    )


def counted_symbols(atoms: Atoms) -> list[str]:
    """Return the chemical symbols of the unmasked atoms."""
    mask = mask_of(atoms)
    symbols: list[str] = atoms.get_chemical_symbols()
    return symbols if mask is None else [symbol for symbol, counts in zip(symbols, mask, strict=True) if counts]
