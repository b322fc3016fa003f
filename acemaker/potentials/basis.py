"""The ACE basis: created from its configuration, with functions numbered by element."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from acemaker.config import PotentialConfig
from acemaker.errors import ConfigError
from acemaker.potentials.pyace_library import load_pyace

LINEAR: Mapping[str, Any] = {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}
"""Embedding of a linear ACE: the energy of an atom equals its density."""


class Basis:
    """An ACE basis with one set of functions per element.

    Parameters
    ----------
    basis_set
        A ``pyace.ACEBBasisSet``.

    Attributes
    ----------
    elements : tuple of str
        Elements in the order of pyace, which is alphabetical and also that of the LAMMPS types.
    n_functions : tuple of int
        Number of functions per element.
    offsets : tuple of int
        Index of the first coefficient of each element, and the total number; one longer than `elements`.
    cutoff : float
        Å.
    """

    def __init__(self, basis_set: Any) -> None:
        self.basis_set = basis_set
        self.elements: tuple[str, ...] = tuple(basis_set.elements_name)
        self.n_functions = tuple(
            len(first) + len(higher) for first, higher in zip(basis_set.basis_rank1, basis_set.basis, strict=True)
        )
        self.offsets = tuple(int(offset) for offset in np.cumsum([0, *self.n_functions]))
        self.cutoff = float(basis_set.cutoffmax)

    @classmethod
    def create(cls, config: PotentialConfig, elements: Sequence[str], embedding: Mapping[str, Any] = LINEAR) -> Basis:
        """Create the basis of a configuration, with all coefficients zero.

        Parameters
        ----------
        config
            Number, orders and radial part of the functions.
        elements
            Chemical symbols.
        embedding
            The embedding function, which maps the densities of an atom to its energy, as in pacemaker's input.

        Raises
        ------
        ConfigError
            If the orders allow fewer functions than ``n_functions``, or ``n_functions`` is too small for the number of
            elements.
        """
        n_sets, n_possible = _neighbor_sets(len(elements), len(config.nradmax_by_orders))
        per_set = config.n_functions // n_sets
        full = per_set * n_possible
        if per_set == 0:
            raise ConfigError(
                f"PotentialConfig.n_functions: expected at least {n_sets} functions per element for {len(elements)} "
                f"elements ({', '.join(sorted(elements))}), at least one for each set of elements around an atom, got "
                f"{config.n_functions}; increase n_functions"
            )
        pyace = load_pyace()
        specification = {
            "deltaSplineBins": 0.001,
            "elements": sorted(elements),
            "embeddings": {"ALL": dict(embedding)},
            "bonds": {
                "ALL": {
                    "radbase": config.radial_basis,
                    "radparameters": [config.radial_parameter],
                    "rcut": config.cutoff,
                    "dcut": 0.01,
                    "NameOfCutoffFunction": "cos",
                }
            },
            "functions": {
                "number_of_functions_per_element": config.n_functions,
                "ALL": {
                    "nradmax_by_orders": list(config.nradmax_by_orders),
                    "lmax_by_orders": list(config.lmax_by_orders),
                },
            },
        }
        basis = cls(pyace.ACEBBasisSet(pyace.create_multispecies_basis_config(specification)))
        if min(basis.n_functions) < full:
            raise ConfigError(
                f"PotentialConfig.n_functions: expected at most {min(basis.n_functions)} functions per element, which "
                f"nradmax_by_orders={config.nradmax_by_orders} and lmax_by_orders={config.lmax_by_orders} allow, got "
                f"{config.n_functions}; lower n_functions or raise the orders"
            )
        return basis

    @property
    def size(self) -> int:
        """Total number of functions; with one density, also the number of linear coefficients."""
        return self.offsets[-1]

    @cached_property
    def is_linear(self) -> bool:
        """Whether the energy of an atom is linear in its projections, apart from core repulsion."""
        embeddings = self.basis_set.map_embedding_specifications.values()
        names = (("npoti", "npot"), ("FS_parameters", "fs_parameters"), ("ndensity", "ndensity"))
        return all(getattr(values, name) == LINEAR[key] for values in embeddings for name, key in names)


def fewer_functions(config: PotentialConfig, elements: Sequence[str]) -> str:
    """Return a remark if the number of functions per element is less than ``n_functions``, else an empty string.

    Parameters
    ----------
    config
        Number and orders of the functions.
    elements
        Chemical symbols.

    Examples
    --------
    >>> fewer_functions(PotentialConfig(n_functions=100), ["Cu", "Ni"])
    ''
    >>> fewer_functions(PotentialConfig(n_functions=101), ["Cu", "Ni"])
    '100 functions per element of n_functions=101: 50 for each of 2 sets of elements around an atom'
    """
    n_sets, n_possible = _neighbor_sets(len(elements), len(config.nradmax_by_orders))
    per_set = config.n_functions // n_sets
    if per_set * n_possible == config.n_functions:
        return ""
    return (
        f"{per_set * n_possible} functions per element of n_functions={config.n_functions}: {per_set} for each of "
        f"{n_possible} sets of elements around an atom"
    )


def _neighbor_sets(n_elements: int, n_orders: int) -> tuple[int, int]:
    """Count the sets of elements around an atom, among which pacemaker divides the functions of an element evenly.

    Returns
    -------
    n_sets, n_possible : int
        Number of all sets, with or without each other element, and of those for which there are enough neighbors.
    """
    n_others = n_elements - 1
    return 2**n_others, sum(math.comb(n_others, size) for size in range(min(n_orders, n_others) + 1))
