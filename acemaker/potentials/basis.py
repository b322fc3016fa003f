"""The ACE basis: made from its configuration, numbered by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acemaker.config import PotentialConfig
from acemaker.errors import ConfigError
from acemaker.potentials.pyace_library import load_pyace

LINEAR: Mapping[str, Any] = {"npot": "FinnisSinclair", "fs_parameters": [1, 1], "ndensity": 1}
"""The energy is the density."""


class Basis:
    """An ACE basis with one set of functions per element.

    Parameters
    ----------
    basis_set
        A ``pyace.ACEBBasisSet``.

    Attributes
    ----------
    elements : tuple of str
        Elements in pyace's order, which is alphabetical; LAMMPS types follow it.
    n_functions : tuple of int
        Functions per element.
    offsets : tuple of int
        Where each element's functions start among all coefficients; one longer than `elements`.
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
        """Make the basis that the configuration describes, all of its coefficients zero.

        Parameters
        ----------
        config
            Number, orders and radial part of the functions.
        elements
            Chemical symbols.
        embedding
            How an atom's densities become its energy, in pacemaker's words.

        Raises
        ------
        ConfigError
            If the orders allow fewer functions than ``n_functions`` asks for.
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
        # pacemaker divides the number evenly among an element's blocks: alone, with one other, with two, ...
        n_blocks = 2 ** (len(basis.elements) - 1)
        if min(basis.n_functions) < config.n_functions // n_blocks * n_blocks:
            raise ConfigError(
                f"PotentialConfig.n_functions: {config.n_functions} functions per element were asked for, but "
                f"nradmax_by_orders={config.nradmax_by_orders} and lmax_by_orders={config.lmax_by_orders} "
                f"allow only {min(basis.n_functions)}; lower n_functions or raise the orders"
            )
        return basis

    @property
    def size(self) -> int:
        """Number of functions over all elements: of the linear coefficients, where there is one density."""
        return self.offsets[-1]
