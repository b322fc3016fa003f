from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.io import write

from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import StructureError
from acemaker.loop.checks import check_moments
from acemaker.oracles.total_charge import check_total_charge
from acemaker.testing import ToyEngine, ToyOracle

CONFIG = {"oracle": "tblite", "ensemble": "nvt", "steps": 100, "n_functions": 10}


def noting(atoms: Atoms, **info: Any) -> Atoms:
    atoms.info |= info
    return atoms


@pytest.mark.parametrize("way", ["object", "file", "two walkers"])
def test_a_charge_in_the_notes_of_a_structure_is_not_lost(tmp_path: Path, way: str) -> None:
    hydroxide = noting(molecule("OH"), charge=-1)
    hydroxide.set_initial_magnetic_moments(None)
    parameters: dict[str, Any] = {**CONFIG, "walkers": 2 if way == "two walkers" else 1}
    if way == "file":
        write(tmp_path / "oh.xyz", hydroxide, format="extxyz")
        assert "charge=-1" in (tmp_path / "oh.xyz").read_text()
        parameters["structure"] = str(tmp_path / "oh.xyz")
    structure = None if way == "file" else hydroxide
    with pytest.raises(StructureError, match=r"states charge=-1 .*Set oracle_arguments=\{'charge': -1\}"):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(parameters), structure=structure)
    assert not (tmp_path / "c").exists()
    parameters["oracle_arguments"] = {"charge": -1}
    config = CampaignConfig.from_parameters(parameters)
    Campaign.create(tmp_path / "c", config, structure=structure, engine=ToyEngine()).close()


@pytest.mark.parametrize(
    ("settings", "info", "words"),
    [
        ({"oracle": "tblite"}, {"total_charge": 1.0}, r"\{'charge': 1\}"),
        ({"oracle": "tblite"}, {"Charge": "+2"}, r"\{'charge': 2\}"),
        ({"oracle": "tblite", "oracle_arguments": {"charge": 1}}, {"charge": -1}, "'tblite' state 1"),
        ({"oracle": "espresso", "ecutwfc": 20}, {"charge": 1}, r"espresso_input=\{'tot_charge': 1\}"),
        ({"oracle": "my_dft:make"}, {"charge": 1}, "factory of your own"),
        ({"oracle": "mace", "oracle_arguments": {"model": "m.model"}}, {"charge": 1}, "to the oracle 'mace'"),
        ({"oracle": "tblite"}, {"multiplicity": 3}, r"\{'multiplicity': 3\}"),
        ({"oracle": "tblite"}, {"spin": 2}, "states spin=2"),
        ({"oracle": "tblite"}, {"charge": "neutral"}, "expected a number as charge"),
    ],
)
def test_a_charge_or_spin_that_the_oracle_does_not_receive_is_refused(
    settings: dict[str, Any], info: dict[str, Any], words: str
) -> None:
    with pytest.raises(StructureError, match=words):
        check_total_charge(OracleConfig(**settings), noting(molecule("H2O"), **info))


@pytest.mark.parametrize(
    ("settings", "info"),
    [
        ({"oracle": "tblite"}, {"charge": 0, "multiplicity": 1, "spin": 1}),
        ({"oracle": "tblite"}, {"total_charge": 0.0, "spin": 0, "name": "water"}),
        ({"oracle": "tblite", "oracle_arguments": {"charge": 1, "multiplicity": 2}}, {"charge": 1, "multiplicity": 2}),
        ({"oracle": "espresso", "ecutwfc": 20, "espresso_input": {"tot_charge": 1}}, {"charge": 1}),
        ({"oracle": "my_dft:make", "oracle_arguments": {"total_charge": -1}}, {"charge": -1}),
        ({"oracle": "vasp", "oracle_arguments": {"nelect": 7, "xc": "pbe"}}, {"charge": 1}),
        ({"oracle": "lammps", "pair_style": "lj/cut 5", "pair_coeff": "* * 1 1"}, {"charge": 1, "multiplicity": 2}),
    ],
)
def test_a_charge_that_the_oracle_receives_or_that_means_nothing_is_accepted(
    settings: dict[str, Any], info: dict[str, Any]
) -> None:
    check_total_charge(OracleConfig(**settings), noting(molecule("H2O"), **info))


def test_initial_charges_whose_sum_the_settings_state_are_accepted() -> None:
    hydroxide = molecule("OH")
    hydroxide.set_initial_charges([-0.9, -0.1])
    check_moments(OracleConfig(oracle="tblite", oracle_arguments={"charge": -1}), hydroxide, ("H", "O"))
    with pytest.raises(StructureError, match="initial charges, which are not passed"):
        check_moments(OracleConfig(oracle="tblite", oracle_arguments={"charge": 1}), hydroxide, ("H", "O"))


def test_a_spin_that_the_moments_state_is_accepted() -> None:
    check_total_charge(OracleConfig(oracle="tblite"), noting(molecule("O2"), multiplicity=3))  # moments 1 and 1


def test_each_copy_of_a_supercell_has_the_charge() -> None:
    config = OracleConfig(oracle="gpaw", oracle_arguments={"charge": 1, "mode": "pw"})
    check_total_charge(config, noting(bulk("Si"), charge=1))
    with pytest.raises(StructureError, match="state 1 instead of 8 for the whole supercell"):
        check_total_charge(config, noting(bulk("Si"), charge=1), n_copies=8)


def test_objects_do_not_receive_a_charge_unless_they_state_it(tmp_path: Path) -> None:
    cluster = noting(bulk("Cu", cubic=True), charge=1)
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": "object", "supercell": (1, 1, 1)})
    for oracle in (EMT(), ToyOracle(), LennardJones):
        with pytest.raises(StructureError, match="not passed to the oracle of your own"):
            Campaign.create(tmp_path / "c", config, structure=cluster, oracle=oracle)
    charged = EMT()
    charged.parameters["charge"] = 1
    Campaign.create(tmp_path / "c", config, structure=cluster, oracle=charged, engine=ToyEngine()).close()
    del cluster.info["charge"]
    cluster.set_initial_charges([1, 0, 0, 0])
    with pytest.raises(StructureError, match=r"the sum of initial charges=1, .*set_initial_charges\(None\)"):
        Campaign.create(tmp_path / "d", config, structure=cluster, oracle=EMT())


def test_the_charge_of_a_repeated_file_is_that_of_all_copies(tmp_path: Path) -> None:
    write(tmp_path / "si.xyz", noting(bulk("Si", cubic=True), charge=1), format="extxyz")
    parameters = {"oracle": "gpaw", "structure": str(tmp_path / "si.xyz"), "supercell": (2, 1, 1), "steps": 100}
    config = CampaignConfig.from_parameters({**parameters, "oracle_arguments": {"mode": "pw", "charge": 1}})
    with pytest.raises(StructureError, match="state 1 instead of 2 for the whole supercell"):
        Campaign.create(tmp_path / "c", config)
