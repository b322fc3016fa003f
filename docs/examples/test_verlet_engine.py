"""The contract of engines, for the engine above."""

from pathlib import Path

import pytest
from ase import Atoms
from verlet_engine import VerletEngine

from acemaker.potentials.generation import Generation
from acemaker.testing import EngineContract


class TestVerletEngine(EngineContract):
    @pytest.fixture(autouse=True)
    def _potential(self, copper_generation: Generation) -> None:  # any trained potential
        self.generation = copper_generation

    def make_engine(self) -> VerletEngine:
        return VerletEngine(steps=self.n_steps, restart_every=10)

    def make_structure(self) -> Atoms:
        from ase.build import bulk

        return bulk("Cu", cubic=True, a=3.7) * (2, 2, 2)

    def make_generation(self, directory: Path) -> Generation:
        return self.generation
