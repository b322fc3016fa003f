"""An atom that has left the others is unknown in every engine, unless the energy of an isolated atom is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.isolated import IsolatedEngine
from acemaker.engines.protocol import Exploration, Request
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.structures.isolated import isolated_atom
from tests.conftest import MISHIN, rattled, small_basis
from tests.engines.test_inprocess import make_request

RULE = OTFConfig(threshold_add_train=1e6, threshold_call_dft=1e7, threshold_break=1e8)
"""Only an infinite gamma halts."""


def slab() -> Atoms:
    return fcc111("Cu", (2, 2, 4), a=3.615, vacuum=8.0, periodic=True)


def lifted(height: float) -> Atoms:
    """Return the slab with its highest atom lifted by so many Å."""
    atoms = slab()
    atoms.positions[int(np.argmax(atoms.positions[:, 2])), 2] += height
    return atoms


def trained(directory: Path, *, isolated: bool) -> Generation:
    oracle, trainer = CalculatorOracle.from_config(MISHIN, ("Cu",)), LinearTrainer(small_basis(), ("Cu",))
    trainer.use_isolated_atoms([oracle.label(isolated_atom("Cu", 20.0, periodic=True))] if isolated else [])
    labels = [oracle.label(atoms) for atoms in rattled(slab(), 4)]
    return trainer.train(
        labels, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0
    ).generation


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return trained(tmp_path_factory.mktemp("fitted"), isolated=False)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    return trained(tmp_path_factory.mktemp("pinned"), isolated=True)


def explore(request: Request, engine: str, native: str) -> Exploration:
    common = {"ensemble": "nve", "temperature": (1, 1), "steps": 20, "restart_every": 10, "trajectory_every": 0}
    if engine == "inprocess":
        here = InProcessEngine(EngineConfig(**common), seed=1)
        try:
            return here.explore(request)
        finally:
            here.close()
    program = native if engine == "native" else "python"
    return IsolatedEngine(EngineConfig(**common, engine="isolated", lammps=program), seed=1).explore(request)


@pytest.mark.parametrize("engine", ["inprocess", "python", "native"])
def test_an_atom_that_has_left_halts_every_engine(
    tmp_path: Path, fitted: Generation, engine: str, request: pytest.FixtureRequest
) -> None:
    native = request.getfixturevalue("native_lammps") if engine == "native" else ""
    atoms = lifted(6.0)
    exploration = explore(make_request(tmp_path, fitted, atoms, RULE), engine, native)
    assert exploration.decision is not None
    assert (exploration.decision.tier, exploration.decision.step) == ("break", 0)
    gamma = exploration.frames[-1].arrays["gamma"]
    assert np.flatnonzero(np.isinf(gamma)).tolist() == [int(np.argmax(atoms.positions[:, 2]))]
    assert np.isinf(exploration.timeline.gamma_max[-1])


@pytest.mark.parametrize("engine", ["inprocess", "python", "native"])
def test_an_isolated_atom_is_known_if_its_energy_is(
    tmp_path: Path, pinned: Generation, engine: str, request: pytest.FixtureRequest
) -> None:
    native = request.getfixturevalue("native_lammps") if engine == "native" else ""
    exploration = explore(make_request(tmp_path, pinned, lifted(6.0), RULE), engine, native)
    assert exploration.decision is None
    assert exploration.end_step == 20


def test_an_atom_with_its_last_neighbors_is_unknown_in_both_cases(
    tmp_path: Path, fitted: Generation, pinned: Generation
) -> None:
    atoms = lifted(3.0)
    top = np.argsort(atoms.positions[:, 2])[-2]
    del atoms[top]  # four neighbors are left, at 3.94 of 4 Å, where the cutoff makes gamma small
    for number, generation in enumerate((fitted, pinned)):
        exploration = explore(make_request(tmp_path / str(number), generation, atoms, RULE), "inprocess", "")
        assert exploration.decision is not None
        assert np.isinf(exploration.frames[-1].arrays["gamma"]).sum() == 1


def test_the_slab_itself_is_known(tmp_path: Path, fitted: Generation) -> None:
    exploration = explore(make_request(tmp_path, fitted, slab(), RULE), "inprocess", "")
    assert exploration.decision is None
