"""An ASE calculator for a baseline: subtracted from labels, added by the engines that run in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig, PotentialConfig
from acemaker.engines.preflight import preflight
from acemaker.engines.workers import Workers
from acemaker.errors import ConfigError, EngineError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import read_generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.states import State
from tests.conftest import MISHIN, copper, rattled, small_basis, train

EMT_PATH = "ase.calculators.emt:EMT"


def over(path: str = EMT_PATH, **more: Any) -> PotentialConfig:
    return PotentialConfig(**small_basis().model_dump() | {"baseline_calculator": path} | more)


def test_what_the_calculator_knows_is_not_learned(tmp_path: Path) -> None:
    """With the oracle itself for a baseline there is nothing left for the ACE."""
    trainer = LinearTrainer(over(), ["Cu"])
    oracle = CalculatorOracle.from_config(OracleConfig(oracle="emt"), ("Cu",))
    labels = [oracle.label(atoms) for atoms in rattled(copper(), 4)]
    training = trainer.train(labels, number=1, directory=tmp_path, predecessor=None, halted=None, gamma_limit=2.0)
    assert np.abs(training.generation.coefficients()).max() < 1e-9
    assert training.generation.reference_energies["Cu"] == pytest.approx(0.0, abs=1e-9)
    assert training.forces[:, 0] == pytest.approx(np.concatenate([atoms.get_forces().ravel() for atoms in labels]))


def test_the_whole_is_the_sum(tmp_path: Path) -> None:
    generation = train(tmp_path, copper(), MISHIN, over())
    assert read_generation(tmp_path, 1) == generation
    assert not generation.lammps_input.exists(), "no LAMMPS can run it from a file"
    atoms = rattled(copper(1), 1)[0]
    alone = generation.calculator().ace
    atoms.calc = EMT()
    below = atoms.get_potential_energy()
    atoms.calc = alone
    above = atoms.get_potential_energy()
    atoms.calc = generation.calculator()
    reference = len(atoms) * generation.reference_energies["Cu"]
    assert atoms.get_potential_energy() == pytest.approx(above + below + reference, abs=1e-9)
    assert atoms.get_forces()[:2] == pytest.approx(calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 1]), abs=1e-5)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, eps=1e-5), abs=1e-6)


def test_lammps_takes_the_sum_from_the_callback(tmp_path: Path) -> None:
    generation = train(tmp_path, copper(), MISHIN, over())
    differences = preflight(evaluator_of(generation), copper(), 1.0)
    assert differences["forces"] < 1e-9
    assert differences["pressure"] < 1e-6


def test_the_preflight_sees_a_calculator_of_another_structure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generation = train(tmp_path, copper(), MISHIN, over())
    evaluator = evaluator_of(generation)
    monkeypatch.setattr(
        "acemaker.engines.forces.held_atoms", lambda *_: rattled(copper(), 1, seed=5)[0]
    )  # what is evaluated is not what LAMMPS holds
    with pytest.raises(EngineError, match="disagree on a rattled cell"):
        preflight(evaluator, copper(), 1.0)


def test_a_cluster(tmp_path: Path) -> None:
    cluster = Atoms("Cu8", [[x, y, z] for x in (0, 2.3) for y in (0, 2.4) for z in (0, 2.5)])
    config = over("ase.calculators.lj:LennardJones", baseline_arguments={"sigma": 2.2, "epsilon": 0.1}, n_functions=6)
    generation = train(tmp_path, cluster, OracleConfig(oracle="emt"), config, n=6)
    assert preflight(evaluator_of(generation), cluster, 1.0)["forces"] < 1e-9
    cluster.calc = generation.calculator()
    assert cluster.get_forces() == pytest.approx(calculate_numerical_forces(cluster, eps=1e-4), abs=1e-5)


def test_helpers_share_the_ace_alone(tmp_path: Path) -> None:
    from functools import partial

    from acemaker.engines.preflight import run_here

    generation = train(tmp_path, copper(), MISHIN, over())
    workers = Workers(1)
    try:
        workers.load(generation)
        run = partial(run_here, workers=workers)
        assert preflight(evaluator_of(generation), copper(), 1.0, run)["forces"] < 1e-9
    finally:
        workers.close()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"baseline_calculator": "EMT"}, "dotted path"),
        (
            {"baseline_calculator": EMT_PATH, "baseline_style": "zbl 1 2", "baseline_coeff": ["* * 29 29"]},
            "only one baseline",
        ),
        ({"baseline_calculator": EMT_PATH, "reference_energies": {"Cu": 0.0}}, "its own zero of energy"),
    ],
)
def test_a_baseline_that_cannot_be(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PotentialConfig(**values)


def small_campaign(**changes: Any) -> CampaignConfig:
    values: dict[str, Any] = {
        "seed": 3,
        "system": {"structure": "Cu", "lattice_constant": 3.615, "supercell": (2, 2, 2), "n_first": 1},
        "otf": {"n_candidates": 4, "n_select": 1, "threshold_add_train": 1.5, "threshold_call_dft": 2.5},
        "engine": {"steps": 150, "temperature": (600, 1200), "restart_every": 50, "soft_start_steps": 20},
        "potential": over(n_functions=20, cutoff=4.5).model_dump(),
        "oracle": MISHIN.model_dump(),
    }
    return CampaignConfig(**{name: value | changes.get(name, {}) for name, value in values.items() if name != "seed"})


@pytest.mark.slow
def test_a_campaign_over_a_calculator(tmp_path: Path) -> None:
    """The same to the bit in this process and in a Python child, interrupted or not."""
    done = {}
    for kind, engine in {"here": {}, "child": {"engine": "isolated", "lammps": "python"}}.items():
        with Campaign.create(tmp_path / kind, small_campaign(engine=engine)) as campaign:
            campaign.run()
        done[kind] = campaign
    here, child = done["here"], done["child"]
    assert here.progress.halts, "the test needs a halt"
    assert [halt["step"] for halt in here.progress.halts] == [halt["step"] for halt in child.progress.halts]
    assert np.array_equal(here.timeline().gamma_max, child.timeline().gamma_max)
    assert EMT_PATH in repr(here)
    broken = tmp_path / "broken"
    with Campaign.create(broken, small_campaign()):
        pass
    while True:
        with Campaign.open(broken) as campaign:
            if campaign.state is State.DONE:
                break
            campaign.step()
    assert np.array_equal(campaign.timeline().gamma_max, here.timeline().gamma_max)


def test_the_child_finds_a_module_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_cheap.py").write_text("from ase.calculators.emt import EMT as make\n")
    monkeypatch.syspath_prepend(tmp_path)
    engine = {"engine": "isolated", "lammps": "python", "steps": 10, "restart_every": 10, "trajectory_every": 10}
    config = small_campaign(engine=engine, potential={"baseline_calculator": "my_cheap:make"})
    with Campaign.create(tmp_path / "run", config) as campaign:
        campaign.prepare()
        assert campaign.explore().end_step > 0


def test_what_is_in_the_main_program_no_child_can_import(tmp_path: Path) -> None:
    engine = {"engine": "isolated", "lammps": "python"}
    config = small_campaign(engine=engine, potential={"baseline_calculator": "__main__:make"})
    with pytest.raises(ConfigError, match="cannot be imported by a child process"):
        Campaign.create(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [("nowhere:EMT", "cannot be imported"), ("ase.calculators.lj:NoSuch", "cannot be imported")],
)
def test_a_calculator_that_is_not_there_leaves_nothing_behind(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Campaign.create(tmp_path / "run", small_campaign(potential={"baseline_calculator": path}))
    assert not (tmp_path / "run").exists()


def test_one_that_cannot_describe_the_structure_leaves_nothing_behind(tmp_path: Path) -> None:
    config = small_campaign(system={"structure": "Si", "crystal": "diamond", "lattice_constant": 5.43})
    with pytest.raises(ConfigError, match=r"baseline_calculator: the baseline .* raised NotImplementedError: No EMT"):
        Campaign.create(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_a_native_child_refuses_before_anything_is_written(tmp_path: Path, native_lammps: str) -> None:
    config = small_campaign(engine={"engine": "isolated", "lammps": native_lammps})
    with pytest.raises(ConfigError, match=r"cannot run pace/extrapolation with .*lammps='python'"):
        Campaign.create(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_so_does_a_campaign_that_is_reopened_with_one(tmp_path: Path, native_lammps: str) -> None:
    with Campaign.create(tmp_path / "run", small_campaign(engine={"engine": "isolated", "lammps": "python"})) as made:
        made.prepare()
    with (
        Campaign.open(tmp_path / "run", lammps=native_lammps) as campaign,
        pytest.raises(EngineError, match="lammps='python'"),
    ):
        campaign.explore()
    with Campaign.open(tmp_path / "run", lammps="python") as campaign:
        campaign.explore()
