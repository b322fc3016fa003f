"""Universal potentials for what acemaker asks of cheap calculators: the real CHGNet and SevenNet."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from acemaker import Campaign, CampaignConfig
from acemaker.config import OracleConfig, OTFConfig, PotentialConfig
from acemaker.engines.preflight import preflight
from acemaker.errors import ConfigError, MissingLibraryError
from acemaker.oracles import universal
from acemaker.potentials.evaluator import evaluator_of
from acemaker.structures.files import read_structures
from acemaker.structures.strategies.normal_modes import hessian, hessian_calculator, modes_of, normal_modes
from acemaker.structures.strategies.site import Site
from tests.conftest import small_basis, train

HERE = {package: importlib.util.find_spec(package) is not None for package in ("chgnet", "sevenn")}
MODELS = [
    pytest.param(name, marks=pytest.mark.skipif(not HERE[package], reason=f"no {package}: make universal"))
    for name, package in (("chgnet", "chgnet"), ("sevennet", "sevenn"))
]
SW = OracleConfig(oracle="lammps", pair_style="sw", pair_coeff=("* * Si.sw Si",))


def silicon(repeat: int = 1, rattle: float = 0.08) -> Atoms:
    atoms = bulk("Si", a=5.47, cubic=True).repeat(repeat)
    atoms.rattle(rattle, seed=2)
    return atoms


@pytest.mark.parametrize("name", MODELS)
def test_forces_and_stress_are_slopes_of_the_energy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    atoms = silicon()
    atoms.calc = getattr(universal, name)()
    assert capsys.readouterr().out == "", "it is chatty"
    slopes = calculate_numerical_forces(atoms, eps=0.01, iatoms=[0, 1])
    assert atoms.get_forces()[:2] == pytest.approx(slopes, abs=0.02)  # single precision
    stress = calculate_numerical_stress(atoms, eps=0.003, force_consistent=False)
    assert atoms.get_stress() == pytest.approx(stress, abs=2e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_structure_gives_the_same_bits(name: str) -> None:
    calculator, atoms = getattr(universal, name)(), silicon()
    forces = []
    for number in range(2):
        atoms.calc = calculator
        forces.append(atoms.get_forces().copy())
        silicon(rattle=0.2 + number).calc = calculator
        calculator.reset()
    assert np.array_equal(*forces)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_downloaded(name: str) -> None:
    known = {"chgnet": "0.3.0", "sevennet": "7net-0"}[name]
    for model in ("7net-omni", "0.9.9", "/nowhere/model.pth"):
        with pytest.raises(ConfigError, match=rf"{known}.* or a checkpoint file, got '{re.escape(model)}'"):
            getattr(universal, name)(model=model)


@pytest.mark.skipif(not HERE["sevenn"], reason="no sevenn: make universal")
def test_a_checkpoint_file_and_a_model_of_two_fidelities(tmp_path: Path) -> None:
    from sevenn import _const

    file = tmp_path / "my.pth"
    file.symlink_to(_const.SEVENNET_0_11Jul2024)
    atoms = silicon()
    energies = []
    for calculator in (universal.sevennet(), universal.sevennet(model=str(file))):
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    assert energies[0] == energies[1]
    with pytest.raises(ConfigError, match="modal argument missing"):
        universal.sevennet(model="7net-mf-0")
    atoms.calc = universal.sevennet(model="7net-mf-0", modal="R2SCAN")
    assert abs(atoms.get_potential_energy() - energies[0]) > 1


@pytest.mark.parametrize("package", ["chgnet", "sevenn"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.model", None)
    monkeypatch.setitem(sys.modules, "torch", sys.modules.get("torch", type(sys)("torch")))
    if not hasattr(sys.modules["torch"], "set_num_threads"):
        monkeypatch.setattr(sys.modules["torch"], "set_num_threads", lambda n: None, raising=False)
    with pytest.raises(MissingLibraryError, match=rf"{package} cannot be imported .*acemaker\[universal\]"):
        getattr(universal, {"chgnet": "chgnet", "sevenn": "sevennet"}[package])()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_normal_modes_of_a_universal_hessian(name: str) -> None:
    """Silicon's highest modes, which PBE puts at 15.5 THz; these models are known to be too soft."""
    config = OTFConfig(mode_calculator=f"acemaker.oracles.universal:{name}", mode_atoms=8)
    site = Site.around(
        silicon(rattle=0.0), np.array([0]), radius=6.0, temperature=600.0, calculator=lambda: pytest.fail("not asked")
    )
    curvature = hessian(site.structure, np.arange(8), hessian_calculator(site, config))
    frequencies = modes_of(curvature, site.structure.get_masses()).energies / 4.135667e-3
    assert 10 < frequencies.max() < 16.5
    assert np.sort(np.abs(frequencies))[:3].max() < 1.0, "three translations"
    made = normal_modes(site, config, np.random.default_rng(1))
    moved = [np.linalg.norm(next(made).positions - site.structure.positions, axis=1) for _ in range(3)]
    assert 0.02 < np.mean(moved) < 0.3


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_lammps_runs_the_ace_over_it(tmp_path: Path, name: str) -> None:
    path = f"acemaker.oracles.universal:{name}"
    config = PotentialConfig(**small_basis().model_dump() | {"baseline_calculator": path})
    generation = train(tmp_path, silicon(2, 0.0), SW, config)
    differences = preflight(evaluator_of(generation), silicon(2, 0.0), 1.0)
    assert differences["forces"] < 1e-9
    assert differences["pressure"] < 1e-6


def campaign_config(**potential: object) -> CampaignConfig:
    return CampaignConfig(
        seed=3,
        system={"structure": "Si", "crystal": "diamond", "lattice_constant": 5.47, "supercell": (1, 1, 1)},
        otf={"threshold_add_train": 1e3, "threshold_call_dft": 1e3, "threshold_break": 1e4},
        engine={
            "steps": 40,
            "temperature": (600, 1200),
            "restart_every": 20,
            "trajectory_every": 20,
        },
        potential={**small_basis().model_dump(), **potential},
        oracle=SW.model_dump(),
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_a_campaign_over_it_is_the_same_in_a_child(tmp_path: Path, name: str) -> None:
    """To the bit, though the network computes in single precision; without a halt, which other tests have."""
    config = campaign_config(baseline_calculator=f"acemaker.oracles.universal:{name}")
    with Campaign.create(tmp_path / "here", config) as here:
        here.run()
    engine = config.engine.model_copy(update={"engine": "isolated", "lammps": "python"})
    with Campaign.create(tmp_path / "child", config.model_copy(update={"engine": engine})) as child:
        child.run()
    assert here.progress.step == 40
    assert np.array_equal(here.timeline().gamma_max, child.timeline().gamma_max)
    for mine, other in zip(here.trajectory(), child.trajectory(), strict=True):
        assert np.array_equal(mine.positions, other.positions)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.slow
def test_a_campaign_is_pretrained_by_it(tmp_path: Path, name: str) -> None:
    path = f"acemaker.oracles.universal:{name}"
    config = campaign_config(pretrain_calculator=path, pretrain_structures=10)
    with Campaign.create(tmp_path / "run", config) as campaign:
        campaign.prepare()
    cheap = read_structures(tmp_path / "run" / "pretraining.extxyz")
    assert len(cheap) == 10
    atoms = Atoms(cheap[3].symbols, cheap[3].positions, cell=cheap[3].cell, pbc=True)
    atoms.calc = getattr(universal, name)()
    assert cheap[3].get_forces() == pytest.approx(atoms.get_forces(), abs=1e-4)
    assert campaign.progress.n_labels == campaign.progress.n_first
