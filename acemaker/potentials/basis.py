"""The ACE basis: created from its configuration, with functions numbered by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
            If the orders allow fewer functions than ``n_functions``.
        """
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
        # pacemaker divides the functions of an element evenly among its blocks: alone, with one other element, with two
        n_blocks = 2 ** (len(basis.elements) - 1)
        if min(basis.n_functions) < config.n_functions // n_blocks * n_blocks:
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
