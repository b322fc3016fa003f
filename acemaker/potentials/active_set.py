"""The active set and the extrapolation grade gamma.

Gamma is the D-optimality grade of Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), for linear ACE as in
Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023): the largest absolute coefficient when the B-projections of an
environment are written as a linear combination of those of the active set. MaxVol chooses the active environments so
that the determinant of their matrix is as large as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from acemaker.errors import StructureError, TooFewEnvironmentsError
from acemaker.potentials.maxvol import first_rows, swap_coefficients, swap_rows


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
        Number of the labeled structure from which each row came; -1 for a candidate structure without a label.
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
        """Pseudo-inverses of the matrices, by element."""
        return tuple(np.linalg.pinv(matrix) for matrix in self.matrices)

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
        for matrix, old_sources, rows in zip(self.matrices, self.sources, projections, strict=True):
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
    elements: Sequence[str], n_functions: Sequence[int], structures: Sequence[Sequence[np.ndarray]]
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

    Returns
    -------
    ActiveSet

    Raises
    ------
    TooFewEnvironmentsError
        If an element has fewer atoms than functions.
    StructureError
        If the environments of an element are too similar to span its functions.
    """
    rows = [np.vstack(blocks) for blocks in zip(*structures, strict=True)]
    for element, size, matrix in zip(elements, n_functions, rows, strict=True):
        if len(matrix) < size:
            per_structure = max(len(matrix) / len(structures), 1e-9)
            needed = f"at least {int(np.ceil(size / per_structure))}" if len(matrix) else "some with this element"
            raise TooFewEnvironmentsError(
                f"{element} has {len(matrix)} atoms in {len(structures)} structures but {size} basis functions; "
                f"label more structures like these ({needed} in all) or lower n_functions"
            )
    sources = [
        np.concatenate([np.full(len(blocks[index]), number) for number, blocks in enumerate(structures)])
        for index in range(len(elements))
    ]
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
