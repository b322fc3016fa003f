"""The in-process engine agrees with pyace's own calculator at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from acemaker.config import EngineConfig, OTFConfig
from acemaker.engines import callback, inprocess
from acemaker.engines.inprocess import InProcessEngine
from acemaker.engines.protocol import Request
from acemaker.lammps import script
from acemaker.lammps.box import by_tag, read_cell
from acemaker.potentials.evaluator import Evaluation, Evaluator
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.testing import ToyOracle
from acemaker.testing.contracts import CALM
from tests.conftest import alloy, copper, rattled, small_basis


class Witness:
    """Compares every callback with a calculator that builds its own neighbor list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, structure: Atoms, generation: Generation) -> None:
        self.calculator = generation.calculator()
        self.worst = {"energy": 0.0, "forces": 0.0, "stress": 0.0, "gamma": 0.0}
        self.steps: list[int] = []
        self.builds = 0
        self.crossed = 0
        self.volumes: list[float] = []
        self.evaluation: Evaluation | None = None
        for name in ("graded", "fast"):
            self._listen(monkeypatch, name)
        original = callback.Callback._evaluate

        def evaluate(run: Any, step: int, nlocal: int, tags: np.ndarray, forces: np.ndarray) -> None:
            original(run, step, nlocal, tags, forces)
            self.compare(run, step, nlocal, tags, forces, structure)

        monkeypatch.setattr(callback.Callback, "_evaluate", evaluate)

    def _listen(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        method = getattr(Evaluator, name)

        def listen(evaluator: Any, env: Any) -> Evaluation:
            self.evaluation = method(evaluator, env)
            return self.evaluation

        monkeypatch.setattr(Evaluator, name, listen)

    def compare(self, run: Any, step: int, nlocal: int, tags: np.ndarray, forces: np.ndarray, like: Atoms) -> None:
        evaluation = self.evaluation
        assert evaluation is not None
        cell, origin = read_cell(run._lmp)
        positions = run._lmp.numpy.extract_atom("x")[:nlocal] - origin
        atoms = Atoms(like.symbols, by_tag(positions, tags), cell=cell, pbc=True, calculator=self.calculator)
        images = run._lmp.numpy.extract_atom("image")[:nlocal]
        self.crossed = max(self.crossed, len(np.unique(images)))
        self.volumes.append(atoms.get_volume())
        self.steps.append(step)
        self.builds = run.forces.neighbors.builds
        reference = sum(self.calculator.reference_energies[symbol] for symbol in atoms.symbols)
        self._update_worst("energy", evaluation.energy + reference - atoms.get_potential_energy())
        self._update_worst("forces", by_tag(forces.copy(), tags) - atoms.get_forces())
        voigt = evaluation.virial[[0, 1, 2, 5, 4, 3]] / atoms.get_volume()
        self._update_worst("stress", (voigt - atoms.get_stress()) / np.abs(atoms.get_stress()).max())
        if evaluation.gamma is not None:
            reference = self.calculator.results["gamma"]
            self._update_worst("gamma", by_tag(evaluation.gamma, tags) / reference - 1)

    def _update_worst(self, name: str, difference: Any) -> None:
        self.worst[name] = max(self.worst[name], float(np.abs(difference).max()))


def run(tmp_path: Path, config: EngineConfig, structure: Atoms, generation: Generation, rule: OTFConfig) -> Any:
    engine = InProcessEngine(config, seed=5)
    try:
        return engine.explore(
            Request(
                number=1,
                structure=structure,
                start_step=0,
                checkpoint=None,
                generation=generation,
                rule=rule,
                directory=tmp_path / "segment",
            )
        )
    finally:
        engine.close()


def assert_parity(witness: Witness) -> None:
    assert witness.worst["energy"] < 1e-9, witness.worst  # eV
    assert witness.worst["forces"] < 1e-9, witness.worst  # eV/Å
    assert witness.worst["stress"] < 1e-6, witness.worst  # relative
    assert witness.worst["gamma"] < 1e-6, witness.worst  # relative


def test_triclinic_two_element_npt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alloy_generation: Generation
) -> None:
    structure = alloy()
    witness = Witness(monkeypatch, structure, alloy_generation)
    config = EngineConfig(ensemble="npt", pressure_coupling="tri", steps=300, temperature=(800, 1500), timestep=2)
    outcome = run(tmp_path, config, structure, alloy_generation, CALM)
    assert sorted(set(witness.steps)) == list(range(301))
    assert_parity(witness)
    assert np.ptp(witness.volumes) > 1, "the barostat did not move"
    assert_pressure(outcome, witness.calculator)


def assert_pressure(outcome: Any, calculator: Any) -> None:
    """LAMMPS's own pressure is that of pyace's virial, with its sign, plus the kinetic part."""
    boltz, nktv2p = 8.617343e-5, 1.6021765e6  # LAMMPS's constants in metal units, eV/K and bar Å^3/eV
    observed = dict(zip(outcome.timeline.step.tolist(), range(len(outcome.timeline.step)), strict=True))
    pressures, expected = [], []
    for frame in outcome.frames:
        row = observed[frame.info["step"]]
        atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True, calculator=calculator)
        kinetic = (3 * len(atoms) - 3) * boltz * outcome.timeline.observables["temperature_K"][row]
        virial = -atoms.get_stress()[:3].sum() * atoms.get_volume()
        expected.append((kinetic + virial) / (3 * atoms.get_volume()) * nktv2p / 1e4)
        pressures.append(outcome.timeline.observables["pressure_GPa"][row])
    assert len(pressures) == 20
    assert np.abs(np.subtract(pressures, expected)).max() < 1e-6 * np.abs(expected).max()


def test_three_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    structure = copper()
    structure.symbols[1::3] = "Ni"
    structure.symbols[2::3] = "Al"
    oracle = ToyOracle()
    trainer = LinearTrainer(small_basis(16), ["Cu", "Ni", "Al"])
    labels = [oracle.label(atoms) for atoms in rattled(structure, 6)]
    generation = trainer.train(
        labels, number=1, directory=tmp_path / "g", predecessor=None, halted=None, gamma_limit=2
    ).generation
    witness = Witness(monkeypatch, structure, generation)
    config = EngineConfig(ensemble="npt", pressure_coupling="aniso", steps=100, temperature=(300, 600))
    outcome = run(tmp_path, config, structure, generation, CALM)
    assert_parity(witness)
    assert_pressure(outcome, witness.calculator)


@pytest.mark.parametrize("rebuild", ["check yes", "check no"])
def test_lists_are_never_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copper_generation: Generation, rebuild: str
) -> None:
    """Hot atoms cross the boundaries; with 'check no' lists are rebuilt at every step with the same ghosts."""
    structure = copper()
    structure.positions += structure.cell.lengths() / 2  # half of the atoms start across the boundary
    witness = Witness(monkeypatch, structure, copper_generation)
    monkeypatch.setattr(
        script, "neighbor_commands", lambda skin: [f"neighbor {skin} bin", f"neigh_modify every 1 delay 0 {rebuild}"]
    )
    steps = 300
    config = EngineConfig(ensemble="npt", steps=steps, temperature=(2500, 2500), restart_every=50)
    run(tmp_path, config, structure, copper_generation, CALM)
    assert_parity(witness)
    assert witness.crossed > 1, "no atom crossed a boundary"
    if rebuild == "check no":
        assert witness.builds == steps + steps // 50  # the setup of each of six stretches, and every step
    else:
        assert steps // 50 < witness.builds < steps / 2


def test_lists_are_read_only_when_lammps_rebuilds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copper_generation: Generation
) -> None:
    """In a cold crystal no atom moves by half the skin, so that only the setup of each stretch builds lists."""
    witness = Witness(monkeypatch, copper(), copper_generation)
    config = EngineConfig(ensemble="nve", steps=100, temperature=(10, 10), restart_every=50)
    run(tmp_path, config, copper(), copper_generation, CALM)
    assert_parity(witness)
    assert witness.builds == 2


def test_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copper_generation: Generation) -> None:
    structure = copper()
    structure.pbc = False
    config = EngineConfig(ensemble="nvt", steps=40, temperature=(300, 300), restart_every=10, trajectory_every=10)
    outcome = run(tmp_path, config, structure, copper_generation, CALM)
    last = Atoms(structure.symbols, outcome.frames[-1].positions, calculator=copper_generation.calculator())
    total = last.get_potential_energy()
    assert outcome.timeline.observables["potential_energy_eV"][-1] == pytest.approx(total, abs=1e-7)


def test_the_fast_evaluator_runs_between_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copper_generation: Generation
) -> None:
    calls = {"graded": 0, "fast": 0}
    for name in calls:
        original = getattr(Evaluator, name)

        def counted(self: Any, env: Any, name: str = name, original: Any = original) -> Evaluation:
            calls[name] += 1
            result: Evaluation = original(self, env)
            return result

        monkeypatch.setattr(Evaluator, name, counted)
    monkeypatch.setattr(inprocess, "preflight", lambda *_, **__: {})
    run(tmp_path, EngineConfig(ensemble="nve", steps=50), copper(), copper_generation, CALM)
    assert calls == {"graded": 11, "fast": 40}  # of 51 evaluations, the checks at every fifth step
