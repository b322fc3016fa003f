"""Explain a large gamma: pair distances outside the training set, and contributions of the basis functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from acemaker.structures.bonds import Bond


@dataclass(frozen=True, kw_only=True)
class GammaContribution:
    """Contribution of a basis function to the extrapolation grade of an atom.

    Attributes
    ----------
    elements : tuple of str
        Elements of the central atom and of its neighbors.
    n, l : tuple of int
        Radial and angular indices, one per neighbor.
    part : float
        Contribution to gamma, dimensionless; negative if it makes gamma smaller. The contributions of all functions add
        up to gamma.
    """

    elements: tuple[str, ...]
    n: tuple[int, ...]
    l: tuple[int, ...]  # noqa: E741, the usual symbol
    part: float

    @property
    def body_order(self) -> int:
        """Number of atoms that the function correlates."""
        return len(self.elements)

    def __str__(self) -> str:
        """Return body order, elements, indices and contribution."""
        n, l = (",".join(map(str, numbers)) for numbers in (self.n, self.l))  # noqa: E741
        return f"{self.body_order}-body {'-'.join(self.elements)} n={n} l={l}: {self.part:+.2g}"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Comparison of a structure with the training set.

    Attributes
    ----------
    trained_distance : float
        Å, smallest pair distance in the training set.
    outside : tuple of Bond
        Distances around the atoms in question that are outside the range of the training set.
    contributions : tuple of GammaContribution
        Contributions of the basis functions to the grade of the atom with the largest gamma, the largest first; empty
        for an uncertainty measure without such contributions.
    """

    trained_distance: float
    outside: tuple[Bond, ...]
    contributions: tuple[GammaContribution, ...]


def contributions_of(
    basis_set: Any, species: int, active: np.ndarray, row: np.ndarray
) -> tuple[GammaContribution, ...]:
    r"""Divide the grade of an environment among the basis functions.

    Gamma is the largest entry of :math:`|\mathbf{b} A^{-1}|`. Its terms by function are thousands that cancel, since
    the functions are strongly correlated. With :math:`A = QR`, where functions are sorted by simplicity (body order,
    angular indices, radial indices), :math:`\mathbf{b} A^{-1} = (\mathbf{b} R^{-1}) Q^T`: each function contributes the
    part that simpler functions do not describe, in units of the same part in the active set.

    Parameters
    ----------
    basis_set
        A ``pyace.ACEBBasisSet``.
    species
        Index of the element of the environment.
    active : ndarray, shape (n_functions, n_functions)
        Active set of the element.
    row : ndarray, shape (n_functions,)
        B-projections of the environment.

    Returns
    -------
    tuple of GammaContribution
        Contributions of all functions, the largest first.
    """
    names = basis_set.elements_name
    functions = [*basis_set.basis_rank1[species], *basis_set.basis[species]]
    order = sorted(
        range(len(functions)), key=lambda f: (len(functions[f].ns), sum(functions[f].ls), sum(functions[f].ns))
    )
    q, r = np.linalg.qr(active[:, order])
    new = solve_triangular(r, row[order], trans="T")
    coefficients = q @ new
    worst = int(np.abs(coefficients).argmax())
    parts = np.sign(coefficients[worst]) * new * q[worst]
    contributions = [
        GammaContribution(
            elements=(str(names[species]), *(str(names[number]) for number in functions[f].mus)),
            n=tuple(int(number) for number in functions[f].ns),
            l=tuple(int(number) for number in functions[f].ls),
            part=float(part),
        )
        for f, part in zip(order, parts, strict=True)
    ]
    return tuple(sorted(contributions, key=lambda contribution: -abs(contribution.part)))
