from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from acemaker.config import OracleConfig
from acemaker.errors import ConfigError, OracleError
from acemaker.oracles.factory import pair_commands
from acemaker.oracles.oracle import CalculatorOracle, Oracle
from acemaker.testing import OracleContract, ToyOracle
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled


class TestToyOracle(OracleContract):
    def make_oracle(self) -> Oracle:
        return ToyOracle()

    def make_structure(self) -> Atoms:
        return rattled(copper(), 1)[0]


class TestEMT(TestToyOracle):
    def make_oracle(self) -> Oracle:
        return CalculatorOracle.from_config(OracleConfig(oracle="emt"), ("Cu",))


class TestLAMMPS(TestToyOracle):
    def make_oracle(self) -> Oracle:
        return CalculatorOracle.from_config(MISHIN, ("Cu",))


class TestLAMMPSAlloy(TestToyOracle):
    """Two elements in a triclinic cell."""

    def make_oracle(self) -> Oracle:
        return CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))

    def make_structure(self) -> Atoms:
        return rattled(alloy(), 1)[0]


class TestDottedPath(TestToyOracle):
    def make_oracle(self) -> Oracle:
        return CalculatorOracle.from_config(OracleConfig(oracle="ase.calculators.emt:EMT"), ("Cu",))


def test_labels_do_not_depend_on_those_before() -> None:
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    one, two = rattled(copper(), 2)
    before = oracle.label(one).get_forces()
    oracle.label(two)
    assert np.array_equal(oracle.label(one).get_forces(), before)


def test_atoms_on_top_of_each_other_are_refused_before_and_after() -> None:
    """LAMMPS returns NaN for them, without a word, and some huge number for atoms that are very close."""
    atoms = copper()
    atoms.positions[1] = atoms.positions[0]
    with pytest.raises(OracleError, match=r"^impossible structure: two atoms are 0.000 Å apart"):
        CalculatorOracle.from_config(MISHIN, ("Cu",)).label(atoms)
    careless = OracleConfig(**MISHIN.model_dump() | {"min_label_distance": 0.0})
    with pytest.raises(OracleError, match=r"^nonsense result: expected a finite"):
        CalculatorOracle.from_config(careless, ("Cu",)).label(atoms)


def test_arguments_reach_the_factory() -> None:
    config = OracleConfig(oracle="tests.oracles.test_oracles:Broken", oracle_arguments={"how": "raise"})
    with pytest.raises(OracleError, match="RuntimeError: no convergence"):
        CalculatorOracle.from_config(config, ("Cu",)).label(copper())


class Broken(Calculator):
    implemented_properties: ClassVar = ["energy", "forces", "free_energy", "stress"]

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(atoms), 3))
        energy = -1.0
        if self.how == "raise":
            raise RuntimeError("no convergence")
        if self.how == "nan_energy":
            energy = float("nan")
        if self.how == "nan_force":
            forces[0, 0] = np.nan
        if self.how == "absurd":
            forces[0, 0] = 1e5
        if self.how == "few":
            forces = forces[:-1]
        self.results = {"energy": energy + 0.1, "free_energy": energy, "forces": forces}
        if self.how != "no_stress":
            self.results["stress"] = np.zeros(6)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "the calculator raised RuntimeError: no convergence"),
        ("nan_energy", "finite energy"),
        ("nan_force", "finite forces"),
        ("absurd", r"largest force component is 1e\+05 eV/Å, above max_force 100"),
        ("few", "forces of shape"),
    ],
)
def test_what_is_not_a_label(how: str, words: str) -> None:
    with pytest.raises(OracleError, match=words):
        CalculatorOracle(lambda: Broken(how), 100.0).label(copper())


def test_the_energy_is_the_one_that_the_forces_belong_to() -> None:
    labeled = CalculatorOracle(lambda: Broken("fine"), 100.0).label(copper())
    assert labeled.get_potential_energy() == -1.0


def test_a_promised_stress_that_does_not_come() -> None:
    labeled = CalculatorOracle(lambda: Broken("no_stress"), 100.0).label(copper())
    assert labeled.calc is not None
    assert "stress" not in labeled.calc.results


def test_clusters_have_no_stress() -> None:
    atoms = copper()
    atoms.pbc = False
    labeled = CalculatorOracle(EMT, 100.0).label(atoms)
    assert labeled.calc is not None
    assert "stress" not in labeled.calc.results


def test_potential_files_are_found_in_lammps_collection() -> None:
    commands = pair_commands(MISHIN)
    assert commands[0] == "pair_style eam/alloy"
    assert commands[1].startswith('pair_coeff * * "/')
    assert commands[1].endswith('Cu_mishin1.eam.alloy" Cu')


def test_elements_in_another_order_than_the_types_are_refused() -> None:
    wrong = OracleConfig(pair_style="eam/alloy", pair_coeff=["* * CuNi.eam.alloy Ni Cu"])
    with pytest.raises(ConfigError, match=r"alphabetical order, Cu Ni, .*write '\* \* CuNi.eam.alloy Cu Ni'"):
        CalculatorOracle.from_config(wrong, ("Cu", "Ni"))


@pytest.mark.parametrize(
    ("coeff", "elements", "said"),
    [
        (
            "* * Cu_mishin1.eam.alloy Cu",
            ("Al",),
            "these coefficients are for Cu, but the structure contains Al; set pair_style and pair_coeff of a "
            "potential for Al, e.g. pair_style=eam/alloy and pair_coeff='* * Al_zhou.eam.alloy Al'; LAMMPS also comes ",
        ),
        ("* * CuNi.eam.alloy Cu", ("Cu", "Ni"), "the file contains Cu Ni: write '* * CuNi.eam.alloy Cu Ni'"),
        (
            "* * Cu_mishin1.eam.alloy Al",
            ("Al",),
            "Cu_mishin1.eam.alloy contains Cu, but the structure contains Al; set",
        ),
        ("* * Cu_mishin1.eam.alloy Cu", ("Cu", "Es"), "contains Cu Es; set pair_style and pair_coeff of a potential"),
        ("* * Cu_mishin.eam.alloy Cu", ("Cu",), "did you mean 'Cu_mishin1.eam.alloy'?"),
    ],
)
def test_coefficients_of_other_elements_say_what_to_give(coeff: str, elements: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pair_commands(OracleConfig(pair_style="eam/alloy", pair_coeff=coeff), elements)
    assert said in str(refused.value)
    assert f"{coeff[:-2]}Al" not in str(refused.value)  # which would have copper's forces on aluminum


def test_types_left_to_another_style_are_not_compared() -> None:
    config = OracleConfig(pair_style="hybrid", pair_coeff=["* * eam/alloy Cu_mishin1.eam.alloy Cu NULL"])
    assert pair_commands(config, ("Cu", "Ni"))


def test_words_with_spaces_stay_one_word() -> None:
    config = OracleConfig(pair_style="quip", pair_coeff=['* * NULL "Potential xml_label=GAP" 14'])
    assert pair_commands(config)[1] == 'pair_coeff * * NULL "Potential xml_label=GAP" 14'


def test_numbers_are_no_files() -> None:
    config = OracleConfig(pair_style="lj/cut 5.5", pair_coeff=["1 1 0.167 2.31"])
    assert pair_commands(config) == ["pair_style lj/cut 5.5", "pair_coeff 1 1 0.167 2.31"]


SMUGGLED = ["lj/cut 5\nshell rm -rf /", "lj/cut &", "pytho$(5:%.0sn %.1f)", "lj/cut ${x}", 'lj/cut "5"', "lj/cut 5 # x"]


@pytest.mark.parametrize("style", SMUGGLED)
def test_nothing_is_smuggled_in_by_a_style(style: str) -> None:
    """LAMMPS expands variables: what is looked through for names of Python's would not be what it reads."""
    with pytest.raises(ConfigError, match="pair_style must consist of names and numbers"):
        OracleConfig(pair_style=style, pair_coeff=["1 1 1 1"])


@pytest.mark.parametrize("coeff", ["1 1 0.1 &", "1 1 $(2^-1) 1", "1 1 'a $x' 1", "1 1 0.1 `x`", "1 1 1 1\n2 2 1 1"])
def test_nothing_is_smuggled_in_by_coefficients(coeff: str) -> None:
    with pytest.raises(ConfigError, match=r"expected (plain names|the arguments of one command)"):
        pair_commands(OracleConfig(pair_style="lj/cut 5", pair_coeff=[coeff]))
