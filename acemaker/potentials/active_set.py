"""The active set and the extrapolation grade gamma.

Gamma is the D-optimality grade of Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), for linear ACE as in
Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023): the largest absolute coefficient when the B-projections of an
environment are written as a linear combination of those of the active set. MaxVol chooses the active environments so
that the determinant of their matrix is as large as possible.

Environments need not span the functions of their element: atoms of a dopant never meet, a diatomic molecule has one
degree of freedom. The rows that are missing are then filled with multiples of unit vectors. Such a row stands for what
is negligible in one function, so that gamma is the size of an unknown contribution in units of that: zero as long as a
function is zero, and huge as soon as it is not. The matrix remains square, as pyace and LAMMPS expect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.errors import StructureError, TooFewEnvironmentsError
from acemaker.potentials.maxvol import first_rows, swap_coefficients, swap_rows

SMALL, ABSENT = -2, -3
"""Sources of filled rows: of a function that is not zero in all labeled environments, and of one that is."""

LACKING, APPEARED, ZERO = 3e-3, 1e-3, 1e-12
"""Value of a filled row in units of the typical value of its function: of what the first environments lack, of a
function that was zero in these, and of one that still is. The last makes gamma of every environment in which the
function is not zero larger than all thresholds. Smaller values of the first led to more labels and the same errors for
Ni in Cu and H in Pd, but to smaller errors for H2O."""

RANK_TOLERANCE = 1e-12
"""Smallest singular value of environments that span the functions, relative to the largest one, with columns of equal
norm. Rounding errors of pyace and LAMMPS would otherwise differ visibly in gamma."""

Scales = Callable[[], Sequence[np.ndarray]]
"""Returns the typical absolute value of each function by element, arrays of shape (n_functions,)."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """Contribution of a structure to an active set that it is not part of.

    Attributes
    ----------
    growth : float
        Growth of ``ln |det|``; never negative.
    entering : tuple of ndarray of int
        Indices of the environments that would enter the active set, by element.
    """

    growth: float
    entering: tuple[np.ndarray, ...]


@dataclass(frozen=True, kw_only=True)
class ActiveSet:
    """Active set: one square matrix of B-projections per element.

    Attributes
    ----------
    elements : tuple of str
        Elements of the basis.
    matrices : tuple of ndarray, shape (n_functions, n_functions)
        Projections of the active environments by element, one row per environment.
    sources : tuple of ndarray of int, shape (n_functions,)
        Number of the labeled structure from which each row came; -1 for a candidate structure without a label, and
        `SMALL` or `ABSENT` for a row that is filled.
    """

    elements: tuple[str, ...]
    matrices: tuple[np.ndarray, ...]
    sources: tuple[np.ndarray, ...]

    @property
    def log_volume(self) -> float:
        """Sum of ``ln |det|`` over the elements."""
        return float(sum(np.linalg.slogdet(matrix)[1] for matrix in self.matrices))

    @cached_property
    def inverses(self) -> tuple[np.ndarray, ...]:
        """Inverses of the matrices, by element."""
        return tuple(
            np.linalg.inv(matrix) if (sources <= SMALL).any() else np.linalg.pinv(matrix)  # pinv drops small rows
            for matrix, sources in zip(self.matrices, self.sources, strict=True)
        )

    @property
    def negligible(self) -> tuple[np.ndarray, ...]:
        """Functions whose values in all active environments are negligible, arrays of bool by element.

        Functions that are zero everywhere are not among them.
        """
        return tuple(_negligible(*pair) for pair in zip(self.matrices, self.sources, strict=True))

    def extend(self, projections: Sequence[np.ndarray], source: int = -1) -> ActiveSet:
        """Run MaxVol over the rows of this set and new ones.

        The search starts from this set, so that the volume never shrinks.

        Parameters
        ----------
        projections : sequence of ndarray, shape (n_environments, n_functions)
            New environments by element.
        source
            Number of the structure that contains them.

        Returns
        -------
        ActiveSet
            No row of this set and no new row has a gamma above the MaxVol tolerance, 1.001.
        """
        matrices, sources = [], []
        for known_rows, known_sources, rows in zip(self.matrices, self.sources, projections, strict=True):
            matrix, old_sources = _appearing(known_rows, known_sources, rows)
            stacked = np.vstack([matrix, rows])
            chosen = swap_rows(stacked, np.arange(len(matrix)))
            matrices.append(stacked[chosen])
            sources.append(np.concatenate([old_sources, np.full(len(rows), source)])[chosen])
        return ActiveSet(elements=self.elements, matrices=tuple(matrices), sources=tuple(sources))

    def contribution(self, projections: Sequence[np.ndarray]) -> Contribution:
        """Return what new environments would add to the set, which is not changed.

        Parameters
        ----------
        projections : sequence of ndarray, shape (n_environments, n_functions)
            New environments by element.

        Returns
        -------
        Contribution
        """
        total, entering = 0.0, []
        for matrix, inverse, rows in zip(self.matrices, self.inverses, projections, strict=True):
            n = len(matrix)
            chosen = np.arange(n)
            total += swap_coefficients(np.vstack([np.eye(n), rows @ inverse]), chosen)[1]
            entering.append(np.sort(chosen[chosen >= n]) - n)
        return Contribution(growth=total, entering=tuple(entering))

    def save(self, path: Path) -> None:
        """Write the ``.asi`` file of pacemaker: inverse matrices by element name."""
        arrays: dict[str, Any] = dict(zip(self.elements, self.inverses, strict=True))
        with path.open("wb") as stream:
            np.savez(stream, **arrays)


def build_active_set(
    elements: Sequence[str],
    n_functions: Sequence[int],
    structures: Sequence[Sequence[np.ndarray]],
    scales: Scales | None = None,
) -> ActiveSet:
    """Choose the first active set.

    Parameters
    ----------
    elements
        Elements of the basis.
    n_functions
        Number of functions per element.
    structures : sequence of sequences of ndarray, shape (n_environments, n_functions)
        Projections of each labeled structure by element; structures are numbered from 0.
    scales
        Called if the environments of an element do not span its functions, to fill its matrix. None raises an error
        instead.

    Returns
    -------
    ActiveSet

    Raises
    ------
    TooFewEnvironmentsError
        Without `scales`, if an element has fewer atoms than functions.
    StructureError
        Without `scales`, if the environments of an element are too similar to span its functions.
    """
    rows = [np.vstack(blocks) for blocks in zip(*structures, strict=True)]
    sources = [
        np.concatenate([np.full(len(blocks[index]), number) for number, blocks in enumerate(structures)])
        for index in range(len(elements))
    ]
    if scales is not None:
        return _fill_rows(tuple(elements), rows, sources, scales)
    for element, size, matrix in zip(elements, n_functions, rows, strict=True):
        if len(matrix) < size:
            per_structure = max(len(matrix) / len(structures), 1e-9)
            needed = f"at least {int(np.ceil(size / per_structure))}" if len(matrix) else "some with this element"
            raise TooFewEnvironmentsError(
                f"{element} has {len(matrix)} atoms in {len(structures)} structures but {size} basis functions; "
                f"label more structures like these ({needed} in all) or lower n_functions"
            )
    return _choose_rows(tuple(elements), rows, sources)


def gamma_of(projections: Sequence[np.ndarray], inverses: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Compute the extrapolation grades of environments.

    Parameters
    ----------
    projections : sequence of ndarray, shape (n_environments, n_functions)
        B-projections by element.
    inverses : sequence of ndarray, shape (n_functions, n_functions)
        Inverse active-set matrices by element.

    Returns
    -------
    list of ndarray, shape (n_environments,)
        Gamma by element, dimensionless.
    """
    return [
        np.abs(rows @ inverse).max(axis=1, initial=0.0) for rows, inverse in zip(projections, inverses, strict=True)
    ]


def _choose_rows(elements: tuple[str, ...], rows: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> ActiveSet:
    matrices, origins = [], []
    for element, matrix, source in zip(elements, rows, sources, strict=True):
        chosen = first_rows(matrix)
        if chosen is None:
            raise StructureError(
                f"the environments of {element} are too similar to span its {matrix.shape[1]} basis functions; "
                "increase the displacements of the first structures (first_rattle, first_strain) or lower n_functions"
            )
        matrices.append(matrix[chosen])
        origins.append(np.asarray(source)[chosen])
    return ActiveSet(elements=elements, matrices=tuple(matrices), sources=tuple(origins))


def rank(matrix: np.ndarray, tolerance: float = RANK_TOLERANCE) -> int:
    """Count the independent directions of environments.

    Parameters
    ----------
    matrix : ndarray, shape (n_environments, n_functions)
        B-projections.
    tolerance
        Smallest singular value that counts, relative to the largest one, with columns of equal norm.

    Examples
    --------
    >>> rank(np.array([[1.0, 2.0], [1.0, 3.0]])), rank(np.array([[1.0, 2.0], [2.0, 4.0]]))
    (2, 1)
    """
    norms = np.linalg.norm(matrix, axis=0)
    if not norms.any():
        return 0
    values = np.linalg.svd(np.linalg.qr(matrix[:, norms > 0] / norms[norms > 0], mode="r"), compute_uv=False)
    return int((values > tolerance * values[0]).sum())


def _fill_rows(
    elements: tuple[str, ...], rows: Sequence[np.ndarray], sources: Sequence[np.ndarray], scales: Scales
) -> ActiveSet:
    """Choose rows as `_choose_rows` does, and fill the matrices of elements whose environments do not span them."""
    matrices, origins = [], []
    for index, (matrix, source) in enumerate(zip(rows, sources, strict=True)):
        stacked, all_sources = matrix, source
        chosen = first_rows(matrix) if rank(matrix) == matrix.shape[1] else None
        if chosen is None:
            absent = ~matrix.any(axis=0)
            filled = np.where(absent, ABSENT, SMALL)
            values = np.where(absent, ZERO, LACKING) * scales()[index]
            stacked, all_sources = np.vstack([np.diag(values), matrix]), np.concatenate([filled, source])
            chosen = swap_rows(stacked, np.arange(len(values)))
        matrices.append(stacked[chosen])
        origins.append(all_sources[chosen])
    return ActiveSet(elements=elements, matrices=tuple(matrices), sources=tuple(origins))


def _appearing(matrix: np.ndarray, sources: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge the filled rows of functions that were zero and are not in new environments."""
    changed = [row for row in np.flatnonzero(sources == ABSENT) if rows[:, matrix[row].argmax()].any()]
    if not changed:
        return matrix, sources
    matrix, sources = matrix.copy(), sources.copy()
    matrix[changed] *= APPEARED / ZERO
    sources[changed] = SMALL
    return matrix, sources


def _negligible(matrix: np.ndarray, sources: np.ndarray) -> np.ndarray:
    negligible = np.zeros(matrix.shape[1], dtype=bool)
    largest = np.abs(matrix[sources > SMALL]).max(axis=0, initial=0.0)
    for row in np.flatnonzero(sources == SMALL):
        function = matrix[row].argmax()
        negligible[function] = largest[function] < matrix[row, function]
    return negligible
