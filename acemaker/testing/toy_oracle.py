"""An oracle without a code behind it: a smooth pair repulsion, and failures on demand."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from acemaker.config import CampaignConfig, EngineConfig, OracleConfig, OTFConfig, PotentialConfig, SystemConfig
from acemaker.errors import OracleError
from acemaker.structures.geometry import pairs


class ToyOracle:
    """Labels with ``A exp(-r/b) (1 - r/rc)^3`` per pair; exact forces and stress.

    Parameters
    ----------
    failing
        Numbers of the calls, from 0, that raise `OracleError`.

    Attributes
    ----------
    calls : int
        How often it was asked.
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
            Any.

        Returns
        -------
        Atoms
            A copy with energy, forces and, if periodic, stress.

        Raises
        ------
        OracleError
            On the calls that were chosen to fail.
        """
        self.calls += 1
        if self.calls - 1 in self.failing:
            raise OracleError("the toy oracle was told to fail on this call")
        labelled = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        from vesin import ase_neighbor_list

        first, _, _ = pairs(labelled, self.cutoff)
        distances, vectors = ase_neighbor_list("dD", labelled, float(self.cutoff))
        fade = 1 - distances / self.cutoff
        energies = self.strength * np.exp(-distances / self.decay) * fade**3
        slopes = -energies * (1 / self.decay + 3 / (self.cutoff * fade))
        pulls = (slopes / distances)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, first, pulls)
        results: dict[str, float | np.ndarray] = {"energy": 0.5 * float(energies.sum()), "forces": forces}
        if labelled.pbc.all():
            results["stress"] = full_3x3_to_voigt_6_stress(0.5 * vectors.T @ pulls / labelled.get_volume())
        labelled.calc = SinglePointCalculator(labelled, **results)
        return labelled


def toy_config(**otf: object) -> CampaignConfig:
    """Make a configuration that the toys run in a second.

    Parameters
    ----------
    **otf
        Fields of `OTFConfig`, instead of small defaults.

    Returns
    -------
    CampaignConfig
        32 copper atoms, 12 basis functions.
    """
    return CampaignConfig(
        system=SystemConfig(structure="Cu", supercell=(2, 2, 2), n_first=2),
        otf=OTFConfig(**{"n_candidates": 6, "n_select": 2, "max_retries": 0, **otf}),
        engine=EngineConfig(steps=200),
        potential=PotentialConfig(n_functions=12, cutoff=4.0, nradmax_by_orders=(6, 3, 2), lmax_by_orders=(0, 2, 1)),
        oracle=OracleConfig(oracle="emt"),
    )
