"""Why a structure is outside the training set: distances that it does not hold, functions that carry the grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from acemaker.structures.bonds import Bond


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A basis function's part in an atom's extrapolation grade.

    Attributes
    ----------
    elements : tuple of str
        The central atom's and its neighbours'.
    n, l : tuple of int
        Radial and angular numbers, one for each neighbour.
    part : float
        Of gamma, dimensionless; negative where it makes gamma smaller. The parts of all functions add up to it.
    """

    elements: tuple[str, ...]
    n: tuple[int, ...]
    l: tuple[int, ...]  # noqa: E741, the field's name for it
    part: float

    @property
    def body_order(self) -> int:
        """Number of atoms that it takes together."""
        return len(self.elements)

    def __str__(self) -> str:
        """Say it in a few words."""
        n, l = (",".join(map(str, numbers)) for numbers in (self.n, self.l))  # noqa: E741
        return f"{self.body_order}-body {'-'.join(self.elements)} n={n} l={l}: {self.part:+.2g}"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a trainer says of a structure.

    Attributes
    ----------
    trained_distance : float
        Å, smallest pair distance in the training set.
    outside : tuple of Bond
        Distances around the atoms in question that the training set does not hold.
    carriers : tuple of Carrier
        Basis functions that carry the worst atom's grade, the largest part first; empty for a measure of
        uncertainty that has no such parts.
    """

    trained_distance: float
    outside: tuple[Bond, ...]
    carriers: tuple[Carrier, ...]


def carriers_of(basis_set: Any, species: int, active: np.ndarray, row: np.ndarray) -> tuple[Carrier, ...]:
    r"""Divide an environment's grade among the basis functions.

    Gamma is the largest entry of :math:`|\mathbf{b} A^{-1}|`. Written out over functions its terms are thousands that
    cancel, since functions say much the same. With :math:`A = QR`, functions in the order of their simplicity (body
    order, angular, radial numbers), :math:`\mathbf{b} A^{-1} = (\mathbf{b} R^{-1}) Q^T`: each function counts for what
    the simpler ones do not say, in units of what the active set holds of that.

    Parameters
    ----------
    basis_set
        A ``pyace.ACEBBasisSet``.
    species
        Number of the environment's element.
    active : ndarray, shape (n_functions, n_functions)
        The element's active set.
    row : ndarray, shape (n_functions,)
        The environment's B-projections.

    Returns
    -------
    tuple of Carrier
        All functions, the largest part first.
    """
    names = basis_set.elements_name
    functions = [*basis_set.basis_rank1[species], *basis_set.basis[species]]
    order = sorted(
        range(len(functions)), key=lambda f: (len(functions[f].ns), sum(functions[f].ls), sum(functions[f].ns))
    )
    q, r = np.linalg.qr(active[:, order])
    new = np.linalg.lstsq(r.T, row[order], rcond=None)[0]
    coefficients = q @ new
    worst = int(np.abs(coefficients).argmax())
    parts = np.sign(coefficients[worst]) * new * q[worst]
    carriers = [
        Carrier(
            elements=(str(names[species]), *(str(names[number]) for number in functions[f].mus)),
            n=tuple(int(number) for number in functions[f].ns),
            l=tuple(int(number) for number in functions[f].ls),
            part=float(part),
        )
        for f, part in zip(order, parts, strict=True)
    ]
    return tuple(sorted(carriers, key=lambda carrier: -abs(carrier.part)))
