"""The trainers fulfill the contract."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from ase import Atoms

from acemaker.config import PacemakerConfig, PotentialConfig
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pacemaker.trainer import PacemakerTrainer
from acemaker.potentials.trainer import Trainer
from acemaker.testing import TrainerContract
from tests.conftest import MISHIN, copper, rattled

TINY = PotentialConfig(n_functions=10, cutoff=4.0, nradmax_by_orders=(5, 3, 2), lmax_by_orders=(0, 2, 1))


@cache
def oracle() -> CalculatorOracle:
    return CalculatorOracle.from_config(MISHIN, ("Cu",))


class OfCopper(TrainerContract):
    def make_labels(self, n: int, scale: float, seed: int) -> list[Atoms]:
        return [oracle().label(atoms) for atoms in rattled(copper(), n, scale, seed)]


class TestLinear(OfCopper):
    def make_trainer(self) -> Trainer:
        return LinearTrainer(TINY, ["Cu"])


@pytest.mark.slow
class TestPacemaker(OfCopper):
    @pytest.fixture(autouse=True)
    def environment(self, pacemaker_python: Path) -> None:
        self.python = pacemaker_python

    def make_trainer(self) -> Trainer:
        fit = PacemakerConfig(first_iterations=20, fit_iterations=20, pacemaker_environment=str(self.python))
        return PacemakerTrainer(TINY, fit, ["Cu"])
