"""Toy oracle: a smooth pair repulsion in pure Python, with failures on demand."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.config import CampaignConfig, EngineConfig, OracleConfig, OTFConfig, PotentialConfig, SystemConfig
from acemaker.errors import OracleError
from acemaker.structures.geometry import pairs
from acemaker.structures.per_atom import bare_copy


class ToyOracle:
    """Labels with the energy ``A exp(-r/b) (1 - r/rc)^3`` per pair, and its exact forces and stress.

    Parameters
    ----------
    failing
        Numbers of the calls, from 0, that raise `OracleError`.

    Attributes
    ----------
    calls : int
        Number of calls so far.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from acemaker.testing import ToyOracle
    >>> label = ToyOracle().label(bulk("Cu", cubic=True) * (2, 2, 2))
    >>> sorted(label.calc.results)
    ['energy', 'forces', 'stress']
    """

    strength, decay, cutoff = 400.0, 0.6, 4.0  # eV, Å, Å

    def __init__(self, failing: Container[int] = ()) -> None:
        self.failing = failing
        self.calls = 0

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure.

        Parameters
        ----------
        atoms
            Any structure.

        Returns
        -------
        Atoms
            A copy with energy, forces and, if periodic, stress.

        Raises
        ------
        OracleError
            In the calls that `failing` selects.
        """
        self.calls += 1
        if self.calls - 1 in self.failing:
            raise OracleError("the toy oracle fails in this call, as configured")
        labeled = bare_copy(atoms)
        from vesin import ase_neighbor_list

        first, _, _ = pairs(labeled, self.cutoff)
        distances, vectors = ase_neighbor_list("dD", labeled, float(self.cutoff))
        fade = 1 - distances / self.cutoff
        energies = self.strength * np.exp(-distances / self.decay) * fade**3
        slopes = -energies * (1 / self.decay + 3 / (self.cutoff * fade))
        pair_forces = (slopes / distances)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, pair_forces)
        results: dict[str, float | np.ndarray] = {"energy": 0.5 * float(energies.sum()), "forces": forces}
        if labeled.pbc.all():
            results["stress"] = full_3x3_to_voigt_6_stress(0.5 * vectors.T @ pair_forces / labeled.get_volume())
        labeled.calc = SinglePointCalculator(labeled, **results)
        return labeled


def toy_config(**otf: object) -> CampaignConfig:
    """Return a configuration that the toy engine and oracle run in about a second.

    Parameters
    ----------
    **otf
        Fields of `OTFConfig` that replace the small defaults.

    Returns
    -------
    CampaignConfig
        Configuration with 32 copper atoms and 12 basis functions.

    Examples
    --------
    >>> from acemaker.testing import toy_config
    >>> toy_config(n_select=1).otf.n_select
    1
    """
    return CampaignConfig(
        system=SystemConfig(structure="Cu", supercell=(2, 2, 2), n_first=2),
        otf=OTFConfig(
            **{"n_candidates": 6, "n_select": 2, "max_retries": 0, "n_probes": 0, "uncertainty": "gamma", **otf}
        ),
        engine=EngineConfig(steps=200),
        potential=PotentialConfig(
            n_functions=12,
            cutoff=4.0,
            nradmax_by_orders=(6, 3, 2),
            lmax_by_orders=(0, 2, 1),
            isolated_atoms=False,  # every call of the oracle is a label
        ),
        oracle=OracleConfig(oracle="emt"),
    )
