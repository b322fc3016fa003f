from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.cluster import Icosahedron
from ase.constraints import FixAtoms, FixCartesian, FixedPlane
from ase.units import Bohr, GPa, Hartree, Rydberg

import acemaker
from acemaker.analysis import check_oracle
from acemaker.campaign import Campaign
from acemaker.config import CampaignConfig, OracleConfig
from acemaker.errors import ConfigError, OracleError, StructureError
from acemaker.oracles.consistency import MAX_CALLS, check_consistency
from acemaker.oracles.oracle import CalculatorOracle, with_results
from acemaker.testing import ToyEngine, ToyOracle
from tests.conftest import MISHIN

VASP, LAMMPS = [0, 1, 2, 5, 3, 4], [0, 1, 2, 5, 4, 3]
"""Orders of the stress components xx, yy, zz, xy, yz, zx and xx, yy, zz, xy, xz, yz."""

FAULTS: dict[str, tuple[str, Callable[[dict[str, Any], int], dict[str, Any]]]] = {
    "energy in Hartree": ("energies are in Hartree", lambda r, n: {"energy": r["energy"] / Hartree}),
    "energy in Rydberg": ("energies are in Rydberg", lambda r, n: {"energy": r["energy"] / Rydberg}),
    "energy per atom": ("the energy is per atom", lambda r, n: {"energy": r["energy"] / n}),
    "energy in kcal/mol": ("energies are in kcal/mol", lambda r, n: {"energy": r["energy"] * 23.0605}),
    "forces in Ha/bohr": ("forces are in Hartree/bohr", lambda r, n: {"forces": r["forces"] * Bohr / Hartree}),
    "forces in Ry/bohr": ("forces are in Rydberg/bohr", lambda r, n: {"forces": r["forces"] * Bohr / Rydberg}),
    "forces in eV/bohr": ("forces are in eV/bohr", lambda r, n: {"forces": r["forces"] * Bohr}),
    "forces in meV": ("forces are in meV/Å", lambda r, n: {"forces": r["forces"] * 1e3}),
    "gradient": ("forces have the wrong sign", lambda r, n: {"forces": -r["forces"]}),
    "gradient in Ha/bohr": ("their sign is wrong", lambda r, n: {"forces": -r["forces"] * Bohr / Hartree}),
    "no forces": ("all forces are zero", lambda r, n: {"forces": 0 * r["forces"]}),
    "stress in GPa": ("the stress is in GPa", lambda r, n: {"stress": r["stress"] / GPa}),
    "stress in kbar": ("the stress is in kbar", lambda r, n: {"stress": r["stress"] / GPa * 10}),
    "pressure": ("the stress has the wrong sign", lambda r, n: {"stress": -r["stress"]}),
    "pressure in GPa": ("its sign is wrong", lambda r, n: {"stress": -r["stress"] / GPa}),
    "order of VASP": ("components are not in the order", lambda r, n: {"stress": r["stress"][VASP]}),
    "order of LAMMPS": ("components are not in the order", lambda r, n: {"stress": r["stress"][LAMMPS]}),
    "no stress": ("all components are zero", lambda r, n: {"stress": 0 * r["stress"]}),
}


class Faulty(Calculator):
    """A calculator whose results are spoiled."""

    implemented_properties: ClassVar = ["energy", "forces", "stress"]

    def __init__(self, fault: str, inner: Callable[[], Calculator] = EMT) -> None:
        super().__init__()
        self.fault, self.inner = fault, inner

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
        super().calculate(atoms, properties, system_changes)
        work = atoms.copy()
        work.calc = self.inner()
        self.results = {"energy": work.get_potential_energy(), "forces": work.get_forces()}
        if work.pbc.all():
            self.results["stress"] = work.get_stress()
        if not (work.cell.rank < 3 and "stress" in self.fault):
            self.results |= FAULTS[self.fault][1](self.results, len(work))


class FaultyOracle:
    """The same as an oracle, not a calculator."""

    def __init__(self, fault: str) -> None:
        self.fault, self.calls = fault, 0

    def label(self, atoms: Atoms) -> Atoms:
        self.calls += 1
        labeled = CalculatorOracle(EMT, float("inf")).label(atoms)
        results = dict(labeled.calc.results)
        return with_results(atoms, results | FAULTS[self.fault][1](results, len(atoms)))


def lennard_jones() -> Calculator:
    return LennardJones(sigma=3.4, epsilon=0.0103, rc=10.0, smooth=True)


def gold_in_copper() -> Atoms:
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.symbols[0] = "Au"
    return atoms


STRUCTURES = {
    "aluminum": lambda: bulk("Al", cubic=True),
    "27 nickel atoms": lambda: bulk("Ni") * (3, 3, 3),
    "gold in copper": gold_in_copper,
    "one silver atom": lambda: bulk("Ag"),
    "platinum slab": lambda: fcc111("Pt", (2, 2, 3), vacuum=6.0, periodic=True),
}


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_called_by_its_name(fault: str, structure: str) -> None:
    check = check_oracle(Faulty(fault), STRUCTURES[structure](), isolated=False)
    assert not check.passed
    assert FAULTS[fault][0] in check.explain()
    assert FAULTS[fault][0] in repr(check)
    assert check.n_calls <= MAX_CALLS


def test_forces_in_another_order_of_atoms_are_no_unit() -> None:
    def reordered(atoms: Atoms) -> tuple[float, np.ndarray]:
        labeled = CalculatorOracle(EMT, 100.0).label(atoms)
        return labeled.get_potential_energy(), labeled.get_forces()[::-1]

    check = check_oracle(reordered, bulk("Ni") * (3, 3, 3), isolated=False)
    assert "order of atoms" in check.explain()


@pytest.mark.parametrize("fault", ["energy in Hartree", "energy per atom", "forces in Ha/bohr", "gradient"])
def test_faults_of_a_cluster(fault: str) -> None:
    check = check_oracle(Faulty(fault), Icosahedron("Cu", 2))
    assert FAULTS[fault][0] in check.explain()


@pytest.mark.parametrize("fault", ["energy in Hartree", "forces in Ha/bohr", "stress in GPa", "order of VASP"])
def test_faults_of_a_weakly_bound_crystal(fault: str) -> None:
    """Argon: a hundredth of the energies of a metal."""
    argon = bulk("Ar", cubic=True) * (2, 2, 2)
    assert check_oracle(lennard_jones(), argon).passed
    assert FAULTS[fault][0] in check_oracle(Faulty(fault, lennard_jones), argon).explain()


def test_two_wrong_units_are_two_findings() -> None:
    def both(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        results = ToyOracle().label(atoms).calc.results
        return results["energy"] / Hartree, results["forces"], results["stress"] / GPa

    words = check_oracle(both, bulk("Cu", cubic=True)).explain()
    assert "energies are in Hartree" in words
    assert "the stress is in GPa" in words


@pytest.mark.parametrize("structure", STRUCTURES)
def test_honest_oracles_pass(structure: str) -> None:
    check = check_oracle(EMT(), STRUCTURES[structure]())
    assert check.passed, check
    assert not check.warnings, check
    assert check.n_calls <= MAX_CALLS
    assert check._repr_html_().count("<tr>") == len(check.findings) + 4


def test_an_honest_oracle_of_lammps_passes() -> None:
    assert check_oracle(MISHIN, bulk("Cu", cubic=True)).passed
    silicon = OracleConfig(pair_style="sw", pair_coeff="* * Si.sw Si")
    assert not check_oracle(silicon, bulk("Si", cubic=True)).warnings


def test_a_cutoff_without_a_smooth_end_is_a_warning_at_most() -> None:
    truncated = OracleConfig(pair_style="lj/cut 6.0", pair_coeff="* * 0.4 2.3")
    assert check_oracle(truncated, bulk("Cu", cubic=True) * (2, 2, 2)).passed


def test_noise_of_single_precision_and_of_a_loosely_converged_scf_is_no_fault() -> None:
    rng = np.random.default_rng(3)

    def noisy(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        results = CalculatorOracle(EMT, 100.0).label(atoms).calc.results
        energy = results["energy"] + rng.normal(scale=1e-5) * len(atoms)
        forces = results["forces"] + rng.normal(scale=2e-4, size=(len(atoms), 3))
        return energy, forces, results["stress"] * 1.1

    assert check_oracle(noisy, bulk("Cu", cubic=True)).passed


CONSTRAINTS: dict[str, Callable[[], Any]] = {
    "four atoms": lambda: FixAtoms([0, 1, 2, 3]),
    "one atom": lambda: FixAtoms([5]),
    "one direction": lambda: FixCartesian([0, 1, 2, 3], mask=(False, False, True)),
    "a plane": lambda: FixedPlane([0, 1, 2, 3], (1, 0, 0)),
}


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("structure", ["27 nickel atoms", "cluster", "partly periodic slab"])
def test_constraints_inside_the_oracle_are_wrong_forces(constraint: str, structure: str) -> None:
    def constrained(atoms: Atoms) -> tuple[float, np.ndarray]:
        atoms.set_constraint(CONSTRAINTS[constraint]())
        atoms.calc = EMT()
        return atoms.get_potential_energy(), atoms.get_forces()

    others = {"cluster": Icosahedron("Cu", 2), "partly periodic slab": fcc111("Pt", (2, 2, 3), vacuum=6.0)}
    atoms = others[structure] if structure in others else STRUCTURES[structure]()
    check = check_oracle(constrained, atoms, isolated=False)
    assert "constraints were applied to the forces" in check.explain()
    assert "apply_constraint=False" in repr(check)


def test_an_atom_out_of_reach_and_a_direction_without_energy_have_zero_forces() -> None:
    far = Icosahedron("Cu", 2) + Atoms("Cu", [[30.0, 0.0, 0.0]])
    assert CalculatorOracle(EMT, 100.0).label(far).get_forces()[-1].tolist() == [0, 0, 0]
    assert check_oracle(EMT(), far).passed

    def flat(atoms: Atoms) -> tuple[float, np.ndarray]:
        center = atoms.positions.mean(axis=0)
        pull = (atoms.positions - center) * (1, 1, 0)
        return 0.5 * float((pull**2).sum()), -pull

    assert "constraints" not in check_oracle(flat, Icosahedron("Cu", 2), isolated=False).explain()


def test_warnings_of_the_check_are_logged_at_creation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def loose(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        results = CalculatorOracle(EMT, 100.0).label(atoms).calc.results
        return results["energy"], results["forces"] * 1.2, results["stress"]

    Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=loose).close()
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any("energy and forces" in text and "converge the calculation better" in text for text in warnings)


def test_a_random_oracle_is_refused() -> None:
    rng = np.random.default_rng(3)

    def random(atoms: Atoms) -> tuple[float, np.ndarray]:
        labeled = CalculatorOracle(EMT, 100.0).label(atoms)
        forces = labeled.get_forces() + rng.normal(scale=0.3, size=(len(atoms), 3))
        return labeled.get_potential_energy(), forces - forces.mean(axis=0)

    assert "two labels of the same structure differ" in check_oracle(random, bulk("Cu", cubic=True)).explain()


def test_cells_of_different_sizes_that_do_not_agree_are_a_warning() -> None:
    def offset(atoms: Atoms) -> tuple[float, np.ndarray]:
        labeled = CalculatorOracle(EMT, 100.0).label(atoms)
        return labeled.get_potential_energy() + 0.5, labeled.get_forces()

    check = check_oracle(offset, bulk("Cu", cubic=True), isolated=False)
    assert check.passed
    assert [finding.name for finding in check.warnings] == ["doubled cell"]


def test_an_expensive_oracle_is_called_once() -> None:
    oracle = ToyOracle()
    check = check_consistency(oracle.label, bulk("Cu", cubic=True), cheap=-1.0)
    assert oracle.calls == 2  # the first call may have loaded something
    assert not check.is_complete


CONFIG = {"oracle": "emt", "structure": "Al", "supercell": (2, 2, 2), "steps": 100, "n_functions": 15}


@pytest.mark.parametrize(
    "fault", ["energy in Hartree", "gradient", "forces in Ha/bohr", "stress in GPa", "order of VASP"]
)
@pytest.mark.parametrize("kind", ["calculator", "function", "oracle", "path", "path in its own process"])
def test_a_campaign_is_not_created_with_wrong_labels(tmp_path: Path, fault: str, kind: str) -> None:
    if kind == "path in its own process" and fault not in ("gradient", "stress in GPa"):
        return  # two of them are enough: each starts a process
    parameters: dict[str, Any] = {**CONFIG, "oracle": "object"}
    objects: dict[str, Any] = {
        "calculator": Faulty(fault),
        "function": lambda: Faulty(fault),
        "oracle": FaultyOracle(fault),
    }
    if kind.startswith("path"):
        process = "this" if kind == "path" else "auto"
        parameters |= {"oracle": f"{__name__}:Faulty", "oracle_arguments": {"fault": fault}, "label_process": process}
    with pytest.raises(ConfigError, match=FAULTS[fault][0]):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(parameters), oracle=objects.get(kind))
    assert not (tmp_path / "c").exists()
    allowed = CampaignConfig.from_parameters({**parameters, "oracle_check": False})
    Campaign.create(tmp_path / "c", allowed, oracle=objects.get(kind)).close()


def test_the_trial_is_not_counted(tmp_path: Path) -> None:
    oracle = ToyOracle()
    config = CampaignConfig.from_parameters({**CONFIG, "structure": "Cu"})
    with Campaign.create(tmp_path / "c", config, oracle=oracle, engine=ToyEngine()) as campaign:
        assert oracle.calls == 0
        assert campaign.progress.n_labels == 0
        assert "of 32 atoms; less than 1 s each" in repr(campaign)


def test_a_barostat_needs_a_stress(tmp_path: Path) -> None:
    def forces_only(atoms: Atoms) -> tuple[float, np.ndarray]:
        labeled = CalculatorOracle(EMT, 100.0).label(atoms)
        return labeled.get_potential_energy(), labeled.get_forces()

    with pytest.raises(ConfigError, match=r"'npt' needs the stress.*ensemble='nvt'"):
        Campaign.create(tmp_path / "c", CampaignConfig.from_parameters(CONFIG), oracle=forces_only)
    assert not (tmp_path / "c").exists()
    config = CampaignConfig.from_parameters({**CONFIG, "ensemble": "nvt"})
    Campaign.create(tmp_path / "c", config, oracle=forces_only).close()


def test_a_class_without_stress_is_refused_without_a_call(tmp_path: Path) -> None:
    config = CampaignConfig.from_parameters({**CONFIG, "oracle": f"{__name__}:WithoutStress"})
    with pytest.raises(ConfigError, match="'npt' needs the stress"):
        Campaign.create(tmp_path / "c", config)


class WithoutStress(Calculator):
    implemented_properties: ClassVar = ["energy", "forces"]


class Unusual(EMT):
    """Returns results of other kinds."""

    def __init__(self, name: str, value: Callable[[Any], Any]) -> None:
        super().__init__()
        self.name_of_result, self.value = name, value

    def calculate(self, *arguments: Any, **keywords: Any) -> None:
        super().calculate(*arguments, **keywords)
        self.results.pop("free_energy")
        self.results[self.name_of_result] = self.value(self.results[self.name_of_result])

    implemented_properties: ClassVar = ["energy", "forces", "stress"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("energy", lambda x: complex(x), "real numbers in energy, got complex"),
        ("forces", lambda x: x.astype(complex), "real numbers in forces, got complex"),
        ("forces", lambda x: np.ma.masked_greater(x, 0.0), "forces without masked values"),
        ("stress", lambda x: np.ma.masked_less(x, 1e9), "stress without masked values, got 6"),
        ("forces", lambda x: x[:-1], r"forces of shape \(4, 3\), got \(3, 3\)"),
        ("forces", lambda x: x.T, r"forces of shape \(4, 3\), got \(3, 4\)"),
        ("stress", lambda x: x[:3], r"stress of shape \(6,\) or \(3, 3\), got \(3,\)"),
        ("energy", lambda x: np.full(4, x), r"energy of shape one number, got \(4,\)"),
        ("energy", lambda x: None, "numbers in energy"),
        ("energy", lambda x: str(x), "numbers in energy"),
        ("forces", lambda x: x * np.nan, "finite forces"),
    ],
)
def test_results_that_are_no_numbers_are_refused_by_name(name: str, value: Callable[[Any], Any], words: str) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    with pytest.raises(OracleError, match=words):
        CalculatorOracle(lambda: Unusual(name, value), 100.0).label(atoms)
    with pytest.raises(OracleError, match=words):
        check_oracle(Unusual(name, value), atoms)


@pytest.mark.parametrize("value", [lambda x: np.array([x]), lambda x: np.float32(x), lambda x: [x]])
def test_one_number_in_any_form_is_an_energy(value: Callable[[Any], Any]) -> None:
    labeled = CalculatorOracle(lambda: Unusual("energy", value), 100.0).label(bulk("Cu", cubic=True))
    assert type(labeled.calc.results["energy"]) is float


def test_a_stress_as_a_matrix_is_converted() -> None:
    def matrix(x: np.ndarray) -> np.ndarray:
        return np.array([[x[0], x[5], x[4]], [x[5], x[1], x[3]], [x[4], x[3], x[2]]])

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    expected = CalculatorOracle(EMT, 100.0).label(atoms).get_stress()
    labeled = CalculatorOracle(lambda: Unusual("stress", matrix), 100.0).label(atoms)
    assert np.array_equal(labeled.get_stress(), expected)


def test_a_configuration_has_a_structure_and_an_object_needs_one() -> None:
    assert acemaker.check_oracle(CampaignConfig.from_parameters(CONFIG), isolated=False).n_atoms == 32
    with pytest.raises(StructureError, match="expected a structure"):
        acemaker.check_oracle(EMT())
