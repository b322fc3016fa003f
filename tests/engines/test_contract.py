"""All engines fulfill the same contract."""

from pathlib import Path

import pytest
from ase import Atoms

from acemaker.config import EngineConfig
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Engine
from acemaker.potentials.generation import Generation
from acemaker.testing import EngineContract, ToyEngine
from tests.conftest import copper


class WithCopper(EngineContract):
    @pytest.fixture(autouse=True)
    def _generation(self, copper_generation: Generation) -> None:
        self._trained = copper_generation

    def make_structure(self) -> Atoms:
        return copper()

    def make_generation(self, directory: Path) -> Generation:
        return self._trained


class OverBaseline:
    """With a potential that corrects a baseline of LAMMPS."""

    @pytest.fixture(autouse=True)
    def _generation(self, copper_over_zbl: Generation) -> None:
        self._trained = copper_over_zbl


class OverCalculator:
    """With a potential that corrects an ASE calculator."""

    @pytest.fixture(autouse=True)
    def _generation(self, copper_over_emt: Generation) -> None:
        self._trained = copper_over_emt


class TestToyEngine(WithCopper):
    def make_engine(self) -> Engine:
        return ToyEngine(self.n_steps, restart_every=10)


class InProcess(WithCopper):
    @pytest.fixture(autouse=True)
    def _ensemble(self, ensemble: str) -> None:
        self._config = EngineConfig(
            ensemble=ensemble, steps=self.n_steps, restart_every=10, trajectory_every=10, temperature=(300, 600)
        )

    def make_engine(self) -> Engine:
        return InProcessEngine(self._config, seed=1)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt", "csvr", "langevin"])
class TestInProcessEngine(InProcess):
    pass


@pytest.mark.parametrize("ensemble", ["npt"])
class TestInProcessEngineOverBaseline(OverBaseline, InProcess):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", ["npt"])
class TestInProcessEngineOverCalculator(OverCalculator, InProcess):
    pass


class WithChild(WithCopper):
    saves_halts = False
    lammps = "python"

    @pytest.fixture(autouse=True)
    def _ensemble(self, ensemble: str) -> None:
        self._config = EngineConfig(
            engine="isolated",
            ensemble=ensemble,
            steps=self.n_steps,
            restart_every=10,
            trajectory_every=10,
            temperature=(300, 600),
        )

    def make_engine(self) -> Engine:
        return IsolatedEngine(self._config.model_copy(update={"lammps": self.lammps}), seed=1)


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
class TestIsolatedPythonEngine(WithChild):
    pass


class WithNativeChild(WithChild):
    @pytest.fixture(autouse=True)
    def _native(self, native_lammps: str) -> None:
        self.lammps = native_lammps


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt", "csvr", "langevin"])
class TestIsolatedNativeEngine(WithNativeChild):
    pass


@pytest.mark.parametrize("ensemble", ["npt"])
class TestIsolatedNativeEngineOverBaseline(OverBaseline, WithNativeChild):
    pass
