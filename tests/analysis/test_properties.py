"""Properties against published values, and properties that are left out with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import BaseCalculator
from ase.calculators.emt import EMT

from acemaker.analysis import liquid
from acemaker.analysis.calculators import OracleCalculator
from acemaker.analysis.measured import Measured, NotApplicable
from acemaker.analysis.properties import ALL, CHEAP, calls, choose, measure
from acemaker.analysis.samples import LiquidSample, find_crystal
from acemaker.config import OracleConfig
from acemaker.errors import ConfigError, LabelBudgetError, StructureError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.testing import ToyOracle
from tests.conftest import MISHIN, alloy, copper, rattled

pytest.importorskip("spglib", reason="no spglib: pip install 'acemaker[physics]'")
pytest.importorskip("matscipy", reason="no matscipy: pip install 'acemaker[physics]'")
pytest.importorskip("phonopy", reason="no phonopy: pip install 'acemaker[physics]'")

STILLINGER = OracleConfig(oracle="lammps", pair_style="sw", pair_coeff=("* * Si.sw Si",))


def calculator(config: OracleConfig, element: str) -> OracleCalculator:
    return OracleCalculator(CalculatorOracle.from_config(config, (element,)))


def all_of(atoms: Atoms, names: tuple[str, ...], asked: BaseCalculator) -> dict[str, float]:
    crystal, found, at_rest = find_crystal(atoms), {}, None
    for name in choose(names):
        before = getattr(asked, "n_calls", 0)
        measured = measure(name, crystal, asked, at_rest)
        assert getattr(asked, "n_calls", 0) - before <= calls(name, crystal)[0]
        at_rest = measured if name == "lattice" else at_rest
        found |= {value.name: value.value for value in measured.values}
    return found


def test_copper_is_as_published() -> None:
    """Mishin, Mehl, Papaconstantopoulos, Voter and Kress, Phys. Rev. B 63, 224106 (2001)."""
    found = all_of(copper(3), CHEAP, calculator(MISHIN, "Cu"))
    assert found["lattice constant a"] == pytest.approx(3.615, abs=1e-3)
    assert found["C11"] == pytest.approx(169.9, rel=0.01)
    assert found["C12"] == pytest.approx(122.6, rel=0.01)
    assert found["C44"] == pytest.approx(76.2, rel=0.01)
    assert found["bulk modulus"] == pytest.approx(138.3, rel=0.02)
    assert found["vacancy energy"] == pytest.approx(1.27, abs=0.01)
    assert found["cohesive energy"] == pytest.approx(3.54, abs=0.005)
    assert found["surface energy (001)"] == pytest.approx(1.345, rel=0.02)  # relaxed, in the paper
    assert found["energy to remove Cu from it"] > found["cohesive energy"]
    assert found["volume"] == pytest.approx(3.615**3 / 4, rel=1e-3)
    assert found["phonons at X, highest"] == pytest.approx(7.82, abs=0.05)
    assert found["phonons at X, lowest"] == pytest.approx(5.20, abs=0.05)
    assert found["phonons at L, highest"] == pytest.approx(7.78, abs=0.05)
    assert found["phonons at L, lowest"] == pytest.approx(3.32, abs=0.05)


def test_a_compound_has_a_cohesive_energy_and_a_surface() -> None:
    """LAMMPS's Al-Ni potential is not in its collection; EMT has the same zero as its isolated atoms."""
    ordered = bulk("CuAu", "cesiumchloride", a=3.0)
    found = all_of(ordered, ("cohesion", "surface"), EMT())
    relaxed_cell = bulk("CuAu", "cesiumchloride", a=found["lattice constant a"])
    relaxed_cell.calc = EMT()
    isolated = 0.0
    for symbol in ("Cu", "Au"):
        atom = Atoms(symbol)
        atom.calc = EMT()
        isolated += atom.get_potential_energy()
    expected = (isolated - relaxed_cell.get_potential_energy()) / 2
    assert found["cohesive energy"] == pytest.approx(expected, abs=1e-4)
    assert found["surface energy (001)"] > 0


def test_silicon_has_internal_strain() -> None:
    """Stillinger and Weber's potential: Balamane, Halicioglu and Tiller, Phys. Rev. B 46, 2250 (1992).

    C44 is 117 GPa with the atoms held at their sites.
    """
    found = all_of(bulk("Si", cubic=True), ("elastic_constants",), calculator(STILLINGER, "Si"))
    assert found["lattice constant a"] == pytest.approx(5.431, abs=1e-3)
    assert found["C11"] == pytest.approx(151.4, rel=0.01)
    assert found["C12"] == pytest.approx(76.4, rel=0.01)
    assert found["C44"] == pytest.approx(56.4, rel=0.02)


def test_a_hexagonal_crystal_has_two_lattice_constants_and_five_elastic_ones() -> None:
    found = all_of(bulk("Cu", "hcp", a=2.56, c=4.18), ("elastic_constants",), calculator(MISHIN, "Cu"))
    assert set(found) == {"lattice constant a", "lattice constant c", "C11", "C12", "C13", "C33", "C44"}
    assert found["lattice constant c"] / found["lattice constant a"] == pytest.approx(np.sqrt(8 / 3), rel=0.02)
    assert found["C11"] > found["C12"] > 0


def test_the_energy_is_looked_for_where_it_is_lowest() -> None:
    wide = all_of(bulk("Cu", a=3.78, cubic=True), ("equation_of_state",), calculator(MISHIN, "Cu"))
    assert wide["volume"] == pytest.approx(3.615**3 / 4, rel=1e-3)
    with pytest.raises(NotApplicable, match="no lowest energy"):
        all_of(copper(), ("equation_of_state",), OracleCalculator(ToyOracle()))  # which only repels


@pytest.mark.parametrize(
    ("atoms", "n_atoms", "group"),
    [
        (copper(3), 1, 225),
        (bulk("Si", cubic=True), 2, 227),
        (bulk("Ti"), 2, 194),
        (bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(2), 2, 225),
    ],
    ids=["fcc", "diamond", "hcp", "rocksalt"],
)
def test_the_crystal_is_found(atoms: Atoms, n_atoms: int, group: int) -> None:
    crystal = find_crystal(atoms)
    assert (crystal.n_atoms, crystal.space_group) == (n_atoms, group)
    volume = abs(np.linalg.det(crystal.supercell(10.0))) * crystal.primitive.get_volume()
    assert crystal.primitive.get_volume() / n_atoms == pytest.approx(atoms.get_volume() / len(atoms))
    assert volume >= 500


@pytest.mark.parametrize(
    ("atoms", "why"),
    [
        (molecule("CH4"), "not periodic"),
        (fcc111("Cu", (2, 2, 3), vacuum=8, periodic=True), "16.0 Å of vacuum"),
        (alloy(), "no primitive cell"),
        (rattled(copper(), 1)[0], "no primitive cell"),
    ],
    ids=["molecule", "surface", "random alloy", "rattled"],
)
def test_what_is_no_crystal_is_said_to_be_none(atoms: Atoms, why: str) -> None:
    with pytest.raises(StructureError, match=why):
        find_crystal(atoms)


def test_a_compound_has_no_vacancy_energy_of_its_own() -> None:
    crystal = find_crystal(bulk("CuAu", "cesiumchloride", a=3.1))
    at_rest = measure("lattice", crystal, EMT(), None)
    with pytest.raises(NotApplicable, match="chemical potentials"):
        measure("vacancy", crystal, EMT(), at_rest)


def test_names_are_checked_and_ordered() -> None:
    assert choose(("vacancy", "equation_of_state")) == ("equation_of_state", "lattice", "vacancy")
    assert set(choose(ALL)) == set(ALL)
    with pytest.raises(ConfigError, match="did you mean 'phonons'"):
        choose(("phonon",))
    with pytest.raises(ConfigError, match="got none"):
        choose(())


def test_a_limit_is_kept() -> None:
    asked = OracleCalculator(ToyOracle(), limit=2)
    for strain in (1.0, 1.01):
        atoms = copper()
        atoms.set_cell(atoms.cell * strain, scale_atoms=True)
        atoms.calc = asked
        atoms.get_potential_energy()
    atoms = rattled(copper(), 1)[0]
    atoms.calc = asked
    with pytest.raises(LabelBudgetError, match="at most 2 oracle calls"):
        atoms.get_forces()
    assert asked.n_calls == 2


def test_radial_distribution_and_diffusion_of_what_is_known() -> None:
    rng = np.random.default_rng(3)
    gas = [Atoms("Ar400", rng.random((400, 3)) * 20, cell=[20] * 3, pbc=True) for _ in range(20)]
    distance, distribution = liquid.radial_distribution(gas)
    assert distribution[distance > 2] == pytest.approx(1, abs=0.1)
    crystal_distance, crystal = liquid.radial_distribution([copper(3)])
    assert crystal_distance[np.argmax(crystal)] == pytest.approx(3.615 / np.sqrt(2), abs=0.06)
    # steps of 0.1 Å along each axis every 10 fs: D = 0.1^2 / 2 / 0.01 ps
    walk = np.cumsum(rng.normal(scale=0.1, size=(240, 400, 3)), axis=0)
    frames = [Atoms("Cu200Ni200", one, cell=[20] * 3, pbc=True) for one in walk]
    coefficient, error = liquid.diffusion(frames, 10.0)
    assert coefficient == pytest.approx(0.5, abs=4 * error)
    assert 0 < error < 0.1


def test_equal_calculators_have_equal_liquids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liquid, "STEPS", 120)
    monkeypatch.setattr(liquid, "WARM_UP", 30)
    melt = LiquidSample(atoms=rattled(copper(), 1, scale=0.3)[0], temperature=3000.0, timestep=2.0)
    one, two = (measure("liquid", melt, asked, None) for asked in (EMT(), EMT()))
    assert one.values == two.values
    assert calls("liquid", melt) == (121, 32)
    assert one.curves["displacement"][0] == 0
    assert len(one.curves["time"]) == 19


def test_what_was_measured_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "x" / "lattice.json"
    assert Measured.load(file) is None
    measured = measure("lattice", find_crystal(copper()), EMT(), None)
    measured.save(file)
    again = Measured.load(file)
    assert again is not None
    assert again.values == measured.values
    assert again.curves == measured.curves
    file.write_text(file.read_text()[:-20])
    assert Measured.load(file) is None
