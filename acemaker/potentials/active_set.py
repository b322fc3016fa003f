"""The active set and the extrapolation grade gamma.

Gamma is the D-optimality grade of Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017), for
linear ACE as in Lysogorskiy et al., Phys. Rev. Mater. 7, 043801 (2023): the largest coefficient with
which an environment's B-projections are a combination of the active set's. MaxVol chooses the environments whose
matrix has the largest determinant.
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
    """What a structure would add to an active set.

    Attributes
    ----------
    growth : float
        Of ``ln |det|``; never negative.
    entering : tuple of ndarray of int
        Numbers of the environments that would enter it, by element.
    """

    growth: float
    entering: tuple[np.ndarray, ...]


@dataclass(frozen=True, kw_only=True)
class ActiveSet:
    """One square matrix of B-projections per element.

    Attributes
    ----------
    elements : tuple of str
        Elements of the basis.
    matrices : tuple of ndarray, shape (n_functions, n_functions)
        Active environments' projections by element, one row each.
    sources : tuple of ndarray of int, shape (n_functions,)
        Number of the labelled structure from which each row came; -1 for one that is only tried.
    """

    elements: tuple[str, ...]
    matrices: tuple[np.ndarray, ...]
    sources: tuple[np.ndarray, ...]

    @property
    def log_volume(self) -> float:
        """Sum of ``ln |det|`` over the elements; its growth is what new environments contribute."""
        return float(sum(np.linalg.slogdet(matrix)[1] for matrix in self.matrices))

    @cached_property
    def inverses(self) -> tuple[np.ndarray, ...]:
        """The matrices' (pseudo-)inverses, by element."""
        return tuple(np.linalg.pinv(matrix) for matrix in self.matrices)

    def extend(self, projections: Sequence[np.ndarray], source: int = -1) -> ActiveSet:
        """Run MaxVol over this set's rows and new ones, starting from this set: the volume never shrinks.

        Parameters
        ----------
        projections : sequence of ndarray, shape (n_environments, n_functions)
            New environments by element.
        source
            Number of the structure from which they come.

        Returns
        -------
        ActiveSet
            Among its rows and the new ones, none has a gamma above the MaxVol tolerance, 1.001.
        """
        matrices, sources = [], []
        for matrix, old, rows in zip(self.matrices, self.sources, projections, strict=True):
            grown = np.vstack([matrix, rows])
            chosen = swap_rows(grown, np.arange(len(matrix)))
            matrices.append(grown[chosen])
            sources.append(np.concatenate([old, np.full(len(rows), source)])[chosen])
        return ActiveSet(elements=self.elements, matrices=tuple(matrices), sources=tuple(sources))

    def contribution(self, projections: Sequence[np.ndarray]) -> Contribution:
        """Say what new environments would add.

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
        """Write pacemaker's ``.asi`` file: inverse matrices by element name."""
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
        Functions per element.
    structures : sequence of sequences of ndarray, shape (n_environments, n_functions)
        Projections of each labelled structure by element; numbered from 0.

    Returns
    -------
    ActiveSet

    Raises
    ------
    TooFewEnvironmentsError
        If an element has fewer atoms than functions.
    StructureError
        If an element's environments are too much alike to span its functions.
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
    return _first_sets(tuple(elements), rows, sources)


def gamma_of(projections: Sequence[np.ndarray], inverses: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Compute the extrapolation grades of environments.

    Parameters
    ----------
    projections : sequence of ndarray, shape (n_environments, n_functions)
        By element.
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


def _first_sets(elements: tuple[str, ...], rows: Sequence[np.ndarray], sources: Sequence[np.ndarray]) -> ActiveSet:
    matrices, origins = [], []
    for element, matrix, source in zip(elements, rows, sources, strict=True):
        chosen = first_rows(matrix)
        if chosen is None:
            raise StructureError(
                f"the environments of {element} are too much alike to span its {matrix.shape[1]} basis functions; "
                "displace the first structures further (first_rattle, first_strain) or lower n_functions"
            )
        matrices.append(matrix[chosen])
        origins.append(np.asarray(source)[chosen])
    return ActiveSet(elements=elements, matrices=tuple(matrices), sources=tuple(origins))
