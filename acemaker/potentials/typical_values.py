"""Typical values of basis functions, also of those that are zero in a structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from acemaker.potentials.design import DesignBuilder

SAMPLE = 100
"""Number of environments of each element that is enough for a mean."""

ROUNDS = 200
"""Maximum number of structures whose elements are exchanged."""


def typical_values(builder: DesignBuilder, structures: Sequence[Atoms]) -> tuple[np.ndarray, ...]:
    """Estimate the absolute values of the basis functions in structures like these.

    A function of a dopant and another atom of the same element is zero where there is only one. Its value at the
    distances of the structure is that with the elements in random order.

    Parameters
    ----------
    builder
        Computes the projections.
    structures
        At least one structure.

    Returns
    -------
    tuple of ndarray, shape (n_functions,)
        The larger of the root mean squares over the environments of the structures and over those with the elements in
        random order, by element; positive.
    """
    sizes = builder.basis.n_functions
    own, mixed = _Squares(sizes), _Squares(sizes)
    for atoms in structures:
        own.add(builder.projections(atoms))
        if own.complete:
            break
    rng = np.random.default_rng(0)
    for number in range(ROUNDS if len(sizes) > 1 else 0):
        atoms = structures[number % len(structures)].copy()
        atoms.set_chemical_symbols(list(rng.choice(builder.basis.elements, size=len(atoms))))
        mixed.add(builder.projections(atoms))
        if mixed.complete:
            break
    return tuple(_positive(np.maximum(*pair)) for pair in zip(own.means, mixed.means, strict=True))


class _Squares:
    """Mean squares of the functions of each element."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sums = [np.zeros(size) for size in sizes]
        self._counts = [0] * len(sizes)

    def add(self, blocks: Sequence[np.ndarray]) -> None:
        for index, block in enumerate(blocks):
            self._sums[index] += (block**2).sum(axis=0)
            self._counts[index] += len(block)

    @property
    def complete(self) -> bool:
        return min(self._counts) >= SAMPLE

    @property
    def means(self) -> list[np.ndarray]:
        return [np.sqrt(total / max(count, 1)) for total, count in zip(self._sums, self._counts, strict=True)]


def _positive(values: np.ndarray) -> np.ndarray:
    """Replace zeros by a value of the other functions."""
    positive = values[values > 0]
    return np.where(values > 0, values, np.median(positive) if len(positive) else 1.0)
