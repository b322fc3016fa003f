"""Each strategy by the contract, and against known answers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.phonons import Phonons
from ase.vibrations import VibrationsData

from acemaker.config import OTFConfig
from acemaker.potentials.generation import Generation
from acemaker.structures.strategies import STRATEGIES, Site, Strategy
from acemaker.structures.strategies.md_burst import md_burst
from acemaker.structures.strategies.normal_modes import MAX_DISPLACEMENT, RIGID, hessian, modes_of, normal_modes
from acemaker.structures.strategies.strain import strain
from acemaker.testing import StrategyContract
from tests.conftest import copper, rattled


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestRandomDisplacement(StrategyContract):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["random_displacement"]


class TestNormalModes(StrategyContract):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["normal_modes"]

    def make_config(self) -> OTFConfig:
        return OTFConfig(mode_atoms=4)


class TestMDBurst(StrategyContract):
    def make_strategy(self) -> Strategy:
        return STRATEGIES["md_burst"]

    def make_config(self) -> OTFConfig:
        return OTFConfig(burst_steps=5)


class TestStrain(StrategyContract):
    is_local = False

    def make_strategy(self) -> Strategy:
        return STRATEGIES["strain"]


class TestTheOneOfTheDocumentation(StrategyContract):
    def make_strategy(self) -> Strategy:
        page = (Path(__file__).parents[2] / "docs" / "how_it_works" / "candidates.md").read_text()
        code = page.split("# my_strategy.py")[1].split("```")[0]
        names: dict[str, Strategy] = {}
        exec(code, {}, names)
        return names["swap"]


def no_calculator() -> EMT:
    raise AssertionError("nobody should ask for forces")


@pytest.mark.parametrize("name", ["random_displacement", "strain"])
def test_some_need_no_forces(name: str) -> None:
    site = Site.around(copper(), np.array([0]), radius=3.0, temperature=300.0, calculator=no_calculator)
    assert next(STRATEGIES[name](site, OTFConfig(), rng())) is not None


# --- normal modes


def primitive() -> Atoms:
    return bulk("Cu", a=3.6)


def phonon_energies(directory: Path, calculator: Calculator, repeats: int) -> np.ndarray:
    """Energies at all q-points that fit into the supercell, by ASE's own finite displacements, eV."""
    phonons = Phonons(primitive(), calculator, supercell=(repeats,) * 3, delta=0.01, name=str(directory / "phonons"))
    phonons.run()
    phonons.read(acoustic=True)
    numbers = np.array(list(np.ndindex(repeats, repeats, repeats))) / repeats
    return np.sort(np.ravel(phonons.band_structure(numbers)))


@pytest.mark.parametrize("calculator", ["emt", "ace"])
def test_frequencies_are_those_of_ase_phonons(tmp_path: Path, calculator: str, copper_generation: Generation) -> None:
    """A supercell's modes are the crystal's phonons at the q-points that fit into it."""
    forces = EMT() if calculator == "emt" else copper_generation.calculator()
    supercell = primitive().repeat(3)
    indices = rng().permutation(27)
    energies = modes_of(hessian(supercell, indices, forces), supercell.get_masses()).energies
    expected = phonon_energies(tmp_path, forces, 3)
    assert np.abs(np.sort(np.abs(energies))[:3]).max() < RIGID
    assert np.sort(energies)[3:] == pytest.approx(expected[3:], rel=0.01)
    assert energies.max() > 0.02  # some 7 THz


def test_modes_are_those_of_ase_vibrations() -> None:
    atoms = rattled(Atoms("CuAg", [[0, 0, 0], [0, 0, 2.4]]), 1)[0]
    curvature = hessian(atoms, np.array([0, 1]), EMT())
    modes = modes_of(curvature, atoms.get_masses())
    energies, directions = VibrationsData.from_2d(atoms, curvature).get_energies_and_modes()
    assert modes.energies == pytest.approx(energies.real - energies.imag, abs=1e-9)
    assert np.abs(modes.directions[-1]) == pytest.approx(np.abs(directions[-1]), abs=1e-6)


class Springs(Calculator):
    """Every atom on its own spring; the last one on top of a hill in x."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's own form)
    constants = np.array([2.0, 5.0, 8.0])  # eV/Å^2, by direction

    def __init__(self, home: Atoms) -> None:
        super().__init__()
        self.home = home.positions.copy()

    def calculate(self, atoms: Atoms | None = None, properties: object = None, changes: object = all_changes) -> None:
        assert atoms is not None
        constants = np.tile(self.constants, (len(atoms), 1))
        constants[-1, 0] = -0.5
        away = atoms.positions - self.home
        self.results = {"energy": float((constants * away**2).sum() / 2), "forces": -constants * away}


def springs(temperature: float) -> Site:
    atoms = Atoms("Cu4", np.arange(12.0).reshape(4, 3))
    return Site.around(atoms, np.array([3]), radius=30, temperature=temperature, calculator=lambda: Springs(atoms))


def test_amplitudes_are_classical() -> None:
    """Of twelve modes the four softest: one on the hill, and x of the three others."""
    made = list(islice(normal_modes(springs(40.0), OTFConfig(), rng()), 3000))
    moves = np.array([atoms.positions for atoms in made]) - springs(40.0).structure.positions
    expected = np.sqrt(units.kB * 40.0 / 2.0)
    assert moves[:, :3, 0].std(axis=0) == pytest.approx(expected, rel=0.05)
    assert np.abs(moves[:, :3, 1:]).max() < 1e-9
    other = OTFConfig(candidate_temperature=10.0)
    colder = np.array([atoms.positions for atoms in islice(normal_modes(springs(40.0), other, rng()), 3000)])
    assert colder[:, :3, 0].std(axis=0) == pytest.approx(expected / 2, rel=0.05)


def test_an_imaginary_mode_is_followed_but_not_too_far() -> None:
    site = springs(3000.0)
    modes = modes_of(hessian(site.structure, np.arange(4), site.calculator()), site.structure.get_masses())
    assert modes.energies[0] < 0 < modes.energies[1]
    made = list(islice(normal_modes(site, OTFConfig(), rng()), 300))
    moves = np.array([atoms.positions for atoms in made]) - site.structure.positions
    assert moves[:, 3, 0].std() > 0.15  # its classical amplitude is 0.7 Å
    assert np.linalg.norm(moves, axis=2).max() < MAX_DISPLACEMENT + 1e-9


def test_copper_on_a_body_centered_lattice_is_unstable() -> None:
    atoms = bulk("Cu", "bcc", a=2.87, cubic=True).repeat(2)
    site = Site.around(atoms, np.array([0]), radius=6.0, temperature=300.0, calculator=EMT)
    modes = modes_of(hessian(atoms, site.nearest(16), EMT()), atoms.get_masses())
    assert modes.energies[0] < -0.001
    made = next(normal_modes(site, OTFConfig(mode_atoms=16), rng()))
    moves = np.linalg.norm(made.positions - atoms.positions, axis=1)
    assert 0.01 < moves.max() <= MAX_DISPLACEMENT + 1e-9


def test_translations_of_everything_are_left_out() -> None:
    site = Site.around(primitive().repeat(2), np.array([0]), radius=6.0, temperature=300.0, calculator=EMT)
    for made in islice(normal_modes(site, OTFConfig(), rng()), 5):
        assert np.abs((made.positions - site.structure.positions).mean(axis=0)).max() < 1e-9


def test_the_hessian_of_another_potential() -> None:
    halted = rattled(copper(), 1)[0]
    site = Site.around(halted, np.array([0]), radius=3.0, temperature=300.0, calculator=no_calculator)
    rule = OTFConfig(mode_calculator="ase.calculators.emt:EMT", mode_atoms=2)
    made = next(normal_modes(site, rule, rng()))
    theirs = Site.around(halted, np.array([0]), radius=3.0, temperature=300.0, calculator=EMT)
    expected = next(normal_modes(theirs, OTFConfig(mode_atoms=2), rng()))
    assert np.array_equal(made.positions, expected.positions)


class Broken(EMT):
    """Returns nothing finite."""

    def calculate(self, *arguments: object) -> None:
        super().calculate(*arguments)
        self.results["forces"] = np.full_like(self.results["forces"], np.nan)


def test_forces_that_are_not_finite_give_nothing_new() -> None:
    site = Site.around(copper(), np.array([0]), radius=3.0, temperature=300.0, calculator=Broken)
    assert list(normal_modes(site, OTFConfig(mode_atoms=1), rng())) == []
    made = next(md_burst(site, OTFConfig(), rng()))
    assert np.array_equal(made.positions, site.structure.positions)


# --- bursts


def test_a_burst_goes_further_at_a_higher_temperature() -> None:
    site = Site.around(rattled(copper(), 1)[0], np.array([0]), radius=2.7, temperature=300.0, calculator=EMT)
    distances = []
    for temperature in (300.0, 1200.0):
        rule = OTFConfig(candidate_temperature=temperature, burst_steps=20)
        made = list(islice(md_burst(site, rule, rng()), 5))
        moves = np.array([atoms.positions for atoms in made]) - site.structure.positions
        distances.append(moves[:, site.region].std())
    assert 1.2 < distances[1] / distances[0] < 2.0  # 2 without forces
    assert not made[0].has("momenta")
    assert not made[0].constraints


def test_a_burst_of_a_generation_ends_before_the_break_tier(copper_generation: Generation) -> None:
    halted = rattled(copper(), 1)[0]
    grade = copper_generation.calculator()

    def gamma(atoms: Atoms) -> float:
        grade.calculate(atoms)
        return float(grade.results["gamma"].max())

    site = Site.around(halted, np.array([0]), radius=3.0, temperature=3000.0, calculator=copper_generation.calculator)
    free = OTFConfig(burst_steps=60, threshold_break=1e9)
    far = next(md_burst(site, free, rng()))
    assert gamma(far) > 1.5 * gamma(halted)
    limit = 1.2 * gamma(halted)
    rule = OTFConfig(burst_steps=60, threshold_add_train=1e-3, threshold_call_dft=1e-3, threshold_break=limit)
    stopped = next(md_burst(site, rule, rng()))
    assert gamma(stopped) <= limit
    assert not np.array_equal(stopped.positions, halted.positions)


# --- strain


def test_strains_are_symmetric_and_of_their_scale() -> None:
    site = TestStrain().make_site()
    made = list(islice(strain(site, OTFConfig(strain_scale=0.03), rng()), 1000))
    inverse = np.linalg.inv(site.structure.cell.array)
    strains = np.array([inverse @ atoms.cell.array for atoms in made]) - np.eye(3)
    assert strains == pytest.approx(strains.transpose(0, 2, 1), abs=1e-12)
    assert strains[:, range(3), range(3)].std() == pytest.approx(0.03, rel=0.05)
    assert strains[:, 0, 1].std() == pytest.approx(0.03 / np.sqrt(2), rel=0.1)
    assert made[0].get_scaled_positions() == pytest.approx(site.structure.get_scaled_positions())


def test_a_cluster_cannot_be_strained() -> None:
    cluster = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]])
    site = Site.around(cluster, np.array([0]), radius=3.0, temperature=300.0, calculator=EMT)
    assert list(strain(site, OTFConfig(), rng())) == []
