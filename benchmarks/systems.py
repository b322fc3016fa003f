"""The systems on which labels are counted: what runs, its analytic oracle, and its reference trajectory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from common import COPPER

from acemaker import CampaignConfig
from acemaker.analysis.reference import reference_trajectory
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.structures.computed import forces_of
from acemaker.structures.initial import initial_structure


@dataclass(frozen=True, eq=False)
class System:
    """One line of the comparison."""

    name: str
    parameters: dict[str, Any]
    structure: Callable[[], Atoms] | None = None  # where no crystal's name says it
    small: int = 32  # atoms of its small cells

    def config(self, seed: int, **changes: Any) -> CampaignConfig:
        """Return its configuration with changes."""
        return CampaignConfig.from_parameters({**self.parameters, "seed": seed, **changes})

    def start(self, seed: int) -> Atoms:
        """Return the structure with which its trajectories start, as a campaign of this seed would make it."""
        if self.structure is not None:
            return self.structure()
        return initial_structure(self.config(seed).system, np.random.default_rng([seed, 0]))


def adatom() -> Atoms:
    """Put an adatom on the (111) face of aluminum: 97 atoms, 10 Å of vacuum on either side."""
    slab = fcc111("Al", (4, 4, 6), a=4.05, vacuum=10.0, periodic=True)
    add_adsorbate(slab, "Al", 2.5, "ontop")
    return Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=True)


COMMON = {"n_candidates": 10, "n_select": 1, "steps": 4000}

SYSTEMS = (
    System("copper", COPPER),
    System(
        "copper-nickel",
        {
            **COMMON,
            "lattice_constant": 3.58,
            "composition": {"Cu": 0.5, "Ni": 0.5},
            "pair_style": "eam/alloy",
            "pair_coeff": ["* * CuNi.eam.alloy Cu Ni"],
            "temperature": (300.0, 3300.0),
        },
    ),
    System(
        "silicon",
        {
            **COMMON,
            "structure": "Si",
            "crystal": "diamond",
            "lattice_constant": 5.431,
            "supercell": (2, 2, 2),
            "pair_style": "sw",
            "pair_coeff": ["* * Si.sw Si"],
            "temperature": (300.0, 4000.0),
        },
    ),
    System(
        "aluminum adatom",
        {
            **COMMON,
            "steps": 500,
            "timestep": 1.0,
            "ensemble": "nvt",
            "temperature": 300.0,
            "trajectory_every": 5,
            "pair_style": "eam/alloy",
            "pair_coeff": ["* * Al_zhou.eam.alloy Al"],
        },
        structure=adatom,
        small=48,
    ),
)
"""Copper and an equimolar alloy of it melt, silicon goes from crystal to liquid, and an adatom looks for its place."""


@functools.cache
def reference_frames(system: System, seed: int) -> tuple[Atoms, ...]:
    """Run the oracle's own dynamics over the same ramp, once a process."""
    return reference_trajectory(system.config(seed), system.start(seed))


def force_rmse(generation: Generation, frames: Sequence[Atoms]) -> float:
    """Return the error of a potential's forces along labeled frames, meV/Å."""
    evaluator = evaluator_of(generation)
    squares = [np.mean((evaluator.structure(atoms).forces - forces_of(atoms)) ** 2) for atoms in frames]
    return float(1e3 * np.sqrt(np.mean(squares)))
