"""Holes of potentials at short distances: what is one, which potentials have them, and where they are named."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.units import _e, _eps0

from acemaker.analysis.short_range import remedy
from acemaker.config import OracleConfig, PotentialConfig
from acemaker.oracles.factory import lammps_calculator, pair_commands
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.basis import Basis
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import read_generation
from acemaker.potentials.holes import Hole, describe_holes, holes_in, sorted_holes
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pyace_library import load_pyace
from acemaker.potentials.scans import Scan, ScanKind
from acemaker.potentials.short_range import (
    ace_sampler,
    calculator_sampler,
    search,
    search_compression,
    search_pairs,
)
from acemaker.potentials.training import Training
from acemaker.structures.bonds import TrainedDistances
from tests.conftest import CUNI, alloy, copper, rattled, small_basis

MAGNESIUM = OracleConfig(oracle="lammps", pair_style="eam/fs", pair_coeff=("* * Mg_mm.eam.fs Mg",))
ALUMINUM = OracleConfig(oracle="lammps", pair_style="eam/alloy", pair_coeff=("* * Al_zhou.eam.alloy Al",))


def magnesium() -> Atoms:
    return bulk("Mg", a=3.184, c=5.17).repeat(3)


def scan(energies: np.ndarray, r: np.ndarray, trained: float = 2.0, kind: ScanKind = "dimer") -> Scan:
    shares = r if kind == "compression" else 0 * r if np.isnan(trained) else r / trained
    return Scan(
        kind=kind, elements=("Cu", "Cu"), lengths=r, energies=energies, gamma=10 + 0 * r, shares=shares, trained=trained
    )


R = np.arange(5.0, 1.0, -0.05)


def morse(r: np.ndarray, bond: float = 2.3) -> np.ndarray:
    values: np.ndarray = (1 - np.exp(-1.5 * (r - bond))) ** 2 - 1
    return values


def test_a_bond_is_no_hole_wherever_it_is() -> None:
    assert holes_in(scan(morse(R), R)) == ()
    assert holes_in(scan(morse(R), R, trained=3.0)) == (), "the only well of a pair that was trained at 3 Å"
    assert holes_in(scan(morse(R), R, trained=float("nan"))) == (), "a pair that was never trained"


def test_attraction_below_the_training_set_is_a_hole() -> None:
    turned = np.where(R > 1.62, morse(R), 2 * morse(R)[R > 1.62][-1] - morse(R))
    (hole,) = holes_in(scan(turned, R))
    assert hole.bottomless
    assert hole.onset == pytest.approx(1.65)
    assert hole.end == pytest.approx(1.05)
    assert hole.barrier == pytest.approx(turned[R > 1.62][-1] + 1.0, abs=0.01)
    # the same curve far above the training set, which contains it
    assert holes_in(scan(turned[R > 1.2], R[R > 1.2], trained=1.0)) == ()


def test_a_pair_that_attracts_down_to_half_a_bond_is_a_hole_without_barrier() -> None:
    (hole,) = holes_in(scan(-1 / R, R))
    assert (hole.onset, hole.barrier, hole.bottomless) == (pytest.approx(1.95), 0.0, True)


def test_a_second_well_below_the_training_set_is_a_hole() -> None:
    energies = morse(R) - 3 * np.exp(-(((R - 1.5) / 0.1) ** 2))
    (hole,) = holes_in(scan(energies, R))
    assert not hole.bottomless
    assert 1.4 < hole.end < 1.6 < hole.onset < 1.8


def test_noise_and_not_a_number_are_told_apart() -> None:
    noise = np.random.default_rng(0).normal(scale=0.005, size=len(R))
    assert holes_in(scan(morse(np.maximum(R, 1.8)) + noise, R)) == (), "it neither rises nor falls below 1.8 Å"
    energies = np.where(R < 1.5, np.nan, morse(R))
    (hole,) = holes_in(scan(energies, R))
    assert hole.bottomless
    assert hole.end < 1.5


def test_a_compressed_cell_may_start_above_its_equilibrium() -> None:
    s = np.linspace(1.0, 0.85, 16)
    assert holes_in(scan(40 * (s - 0.95) ** 2, s, kind="compression")) == ()
    falling = np.where(s > 0.9, 40 * (s - 0.98) ** 2, 40 * (0.9 - 0.98) ** 2 - 5 * (0.9 - s))
    (hole,) = holes_in(scan(falling, s, kind="compression"))
    assert "the energy falls from -1" in str(hole)
    assert "eV per atom" in str(hole)


def lammps(style: str, *coeff: str, elements: tuple[str, ...]) -> Callable[[], Any]:
    config = OracleConfig(oracle="lammps", pair_style=style, pair_coeff=coeff)
    commands = pair_commands(config, elements)
    return lambda: lammps_calculator(commands, elements)


ORACLES: dict[str, tuple[Callable[[], Callable[[], Any]], Atoms]] = {
    "EAM": (
        lambda: lammps("eam/alloy", "* * W_zhou.eam.alloy W", elements=("W",)),
        bulk("W", cubic=True).repeat(2),
    ),
    "Finnis-Sinclair": (lambda: lammps("eam/fs", "* * Mg_mm.eam.fs Mg", elements=("Mg",)), magnesium()),
    "Stillinger-Weber": (lambda: lammps("sw", "* * Si.sw Si", elements=("Si",)), bulk("Si", cubic=True).repeat(2)),
    "Tersoff": (
        lambda: lammps("tersoff", "* * GaN.tersoff Ga N", elements=("Ga", "N")),  # binds two nitrogen atoms at 1.1 Å
        bulk("GaN", "zincblende", a=4.5, cubic=True),
    ),
    "Lennard-Jones": (
        lambda: lammps("lj/cut 8.5", "1 1 0.0104 3.4", elements=("Ar",)),
        bulk("Ar", "fcc", a=5.26, cubic=True),
    ),
}


@pytest.mark.parametrize("name", list(ORACLES))
def test_an_oracle_has_no_hole(name: str) -> None:
    make, crystal = ORACLES[name]
    (start, hot), distances = rattled(crystal, 2, scale=0.05), TrainedDistances(5.0)
    for atoms in (start, *rattled(crystal, 2, scale=0.15), hot):
        distances.add(atoms)
    sample = calculator_sampler(make())
    elements = sorted(set(crystal.get_chemical_symbols()))
    pairs = search_pairs(sample, elements, 4.0 if name == "Tersoff" else 5.0, distances.shortest, start)
    scans = pairs + search_compression(sample, elements, 5.0, distances.shortest, start)
    assert {scan.kind for scan in scans} == {"dimer", "push", "compression"}
    assert [str(hole) for hole in sorted_holes(scans)] == []


def test_emt_has_no_hole() -> None:
    """As a function of pairs in vacuum and of the volume, which do not take long in Python."""
    crystal = bulk("Al", cubic=True)
    sample = calculator_sampler(EMT)
    trained = {("Al", "Al"): 2.4, ("Al", "Cu"): 2.3, ("Cu", "Cu"): 2.1}
    scans = search_pairs(sample, ["Al", "Cu"], 5.0, trained, None)
    scans += search_compression(sample, ["Al", "Cu"], 5.0, trained, crystal)
    assert len(scans) == 4
    assert sorted_holes(scans) == ()


class Ions(Calculator):
    """Pairs of ions with Coulomb energy, repulsion and dispersion, in vacuum."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, dispersion: float) -> None:
        super().__init__()
        self.dispersion = dispersion

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        charge = {"Na": 1.0, "Cl": -1.0}
        first, second = (charge[symbol] for symbol in self.atoms.symbols)
        r = self.atoms.get_distance(0, 1)
        coulomb = first * second * _e / (4 * np.pi * _eps0) * 1e10 / r
        energy = coulomb + 1200 * np.exp(-r / 0.32) - self.dispersion / r**6
        self.results = {"energy": energy, "forces": np.zeros((2, 3))}


def test_ions_repel_and_the_catastrophe_of_dispersion_without_a_core_is_named() -> None:
    trained = {("Cl", "Na"): 2.4, ("Na", "Na"): 3.2, ("Cl", "Cl"): 3.2}
    assert sorted_holes(search_pairs(calculator_sampler(lambda: Ions(0.0)), ["Cl", "Na"], 8.0, trained, None)) == ()
    holes = sorted_holes(search_pairs(calculator_sampler(lambda: Ions(300.0)), ["Cl", "Na"], 8.0, trained, None))
    assert {hole.elements for hole in holes} == {("Cl", "Cl"), ("Cl", "Na"), ("Na", "Na")}
    assert all(hole.bottomless for hole in holes), "this classical potential has holes itself"


def fit(
    directory: Path, oracle: OracleConfig, crystal: Atoms, core_repulsion: str = "auto", **settings: Any
) -> tuple[Training, LinearTrainer]:
    elements = tuple(sorted(set(crystal.get_chemical_symbols())))
    trainer = LinearTrainer(PotentialConfig(core_repulsion=core_repulsion, **settings), elements, directory)
    labeler = CalculatorOracle.from_config(oracle, elements)
    labels = [labeler.label(atoms) for atoms in rattled(crystal, 5, scale=0.15)]
    training = trainer.train(labels, number=1, directory=directory, predecessor=None, halted=None, gamma_limit=2.0)
    return training, trainer


@pytest.fixture(scope="module")
def collapsing(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A fit of magnesium without core repulsion."""
    return fit(tmp_path_factory.mktemp("collapsing"), MAGNESIUM, magnesium(), "never")[0]


@pytest.fixture(scope="module")
def repelling(tmp_path_factory: pytest.TempPathFactory) -> tuple[Training, LinearTrainer]:
    """The same with it."""
    return fit(tmp_path_factory.mktemp("repelling"), MAGNESIUM, magnesium())


def pair_holes(training: Training) -> list[Hole]:
    return [hole for hole in training.generation.holes or () if hole.kind != "compression"]


def assert_filled(without: Training, with_core: Training) -> None:
    holes = pair_holes(without)
    assert any(hole.bottomless and hole.fall > 20 for hole in holes)
    assert all(hole.onset <= hole.trained for hole in holes)
    assert all(hole.gamma > 5 for hole in holes)
    assert not without.generation.core_radii
    assert with_core.generation.core_radii
    assert not any(hole.bottomless for hole in pair_holes(with_core))
    assert sum(hole.fall for hole in pair_holes(with_core)) < 0.01 * sum(hole.fall for hole in holes)
    assert with_core.train_errors == without.train_errors
    assert with_core.cv_errors == without.cv_errors


def test_magnesium_collapses_without_core_repulsion(
    collapsing: Training, repelling: tuple[Training, LinearTrainer]
) -> None:
    """Two atoms attract each other by a thousand eV below 2.3 Å, at gamma far above the thresholds."""
    assert_filled(collapsing, repelling[0])


def test_aluminum_collapses_without_core_repulsion(tmp_path: Path) -> None:
    crystal = bulk("Al", cubic=True).repeat(2)
    without, with_core = (fit(tmp_path / mode, ALUMINUM, crystal, mode)[0] for mode in ("never", "auto"))
    assert_filled(without, with_core)


def test_holes_are_named_where_the_potential_is(collapsing: Training) -> None:
    generation = collapsing.generation
    assert generation.holes
    worst = generation.holes[0]
    for text in (repr(collapsing), repr(generation), collapsing._repr_html_()):
        assert f"{worst.onset:.2f}" in text
        assert "attractive" in text
    commands = generation.lammps_input.read_text()
    assert commands.isascii()
    comments = [line for line in commands.splitlines() if "unknown at short distances" in line]
    assert len(comments) == len(generation.holes)
    assert f"Mg-Mg in the crystal: attractive from {worst.onset:.2f} to" in comments[0]
    assert read_generation(generation.directory, 1).holes == generation.holes


def test_the_files_name_the_core_radius(repelling: tuple[Training, LinearTrainer]) -> None:
    generation = repelling[0].generation
    radius = generation.core_radii["Mg-Mg"]
    assert f"below: Mg-Mg {radius:g} Angstrom" in generation.lammps_input.read_text()
    assert f"Mg–Mg {radius:.2f} Å" in repr(generation)
    assert read_generation(generation.directory, 1).core_radii == generation.core_radii


def test_a_potential_without_holes_says_so_and_gets_no_core(tmp_path: Path) -> None:
    training, _ = fit(tmp_path, OracleConfig(oracle="emt"), copper(), n_functions=40)
    assert training.generation.holes == ()
    assert training.generation.core_radii == {}
    assert "no hole" in repr(training)
    assert "attractive" not in training.generation.lammps_input.read_text()


def test_a_reopened_campaign_finds_the_same_holes(tmp_path: Path) -> None:
    """From the cache of the fit, and from the labels without it."""
    _, trainer = fit(tmp_path / "whole", MAGNESIUM, magnesium())
    labeler = CalculatorOracle.from_config(MAGNESIUM, ("Mg",))
    first, second = rattled(magnesium(), 5, scale=0.15), rattled(magnesium(), 2, scale=0.05, seed=1)
    groups = [[labeler.label(atoms) for atoms in group] for group in (first, second)]
    results = []
    for case in ("whole", "cached", "labels"):
        directory = tmp_path / case
        if case == "labels":
            trainer = LinearTrainer(PotentialConfig(), ("Mg",), tmp_path / case)
            trainer.restore(groups[:1], None)
        if case == "cached":  # the cache is written before new labels are added
            directory = tmp_path / "whole"
            trainer = LinearTrainer(PotentialConfig(), ("Mg",), directory)
            trainer.restore(groups[:1], read_generation(directory, 1))
            assert trainer._n_cached == 1
        training = trainer.train(
            groups[1], number=2, directory=directory, predecessor=None, halted=None, gamma_limit=2.0
        )
        results.append((training.generation.holes, training.generation.core_radii))
    assert results[0] == results[1] == results[2]
    assert results[0][1]


def test_the_scan_of_the_crystal_uses_the_energies_of_the_potential(tmp_path: Path) -> None:
    """Only atoms whose energies change are evaluated; differences are those of the whole cluster."""
    training, trainer = fit(tmp_path, CUNI, alloy(), **small_basis().model_dump(include={"n_functions", "cutoff"}))
    evaluator = evaluator_of(training.generation)
    basis = Basis(load_pyace().ACEBBasisSet(str(training.generation.yaml)))
    inner = ace_sampler(basis, trainer.active_set.inverses if trainer.active_set else None, None)
    seen: list[list[Atoms]] = []

    def sample(structures: Any) -> tuple[np.ndarray, np.ndarray]:
        seen.append(list(structures))
        return inner(structures)

    scans = search_pairs(sample, basis.elements, basis.cutoff, trainer._distances.shortest, trainer._distances.calmest)
    assert [scan.name for scan in scans[3:]] == [f"{pair} in the crystal" for pair in ("Cu–Cu", "Cu–Ni", "Ni–Ni")]
    for scan, structures in zip(scans[3:], seen[3:], strict=True):
        whole = [evaluator.graded(environment(atoms, basis.elements, basis.cutoff)) for atoms in structures]
        expected = np.array([evaluation.energy for evaluation in whole])
        assert scan.energies == pytest.approx(expected - expected[0], abs=1e-7)
        grades = [evaluation.gamma for evaluation in whole]
        moved = [gamma[0] for gamma in grades if gamma is not None]
        assert (scan.gamma >= np.array(moved) - 1e-6).all()
        assert structures[-1].get_distances(0, range(1, len(structures[-1]))).min() == pytest.approx(scan.lengths[-1])


def test_the_search_takes_less_than_a_second(repelling: tuple[Training, LinearTrainer]) -> None:
    """Also if it adds core repulsion, which repeats a part of it."""
    training, trainer = repelling
    trainer.basis.basis_set.basis_coeffs = list(training.generation.coefficients())
    started = time.process_time()
    _, fields = trainer.at_short_range(None, "auto")
    assert time.process_time() - started < 1.0
    assert fields["core_radii"] == training.generation.core_radii


def test_a_baseline_is_part_of_the_potential(tmp_path: Path) -> None:
    training, _ = fit(
        tmp_path, MAGNESIUM, magnesium(), "always", baseline_style="zbl 1.0 2.0", baseline_coeff=("* * 12 12",)
    )
    assert training.generation.holes is not None
    assert training.generation.core_radii == {}, "the baseline is the user's"
    holes = sorted_holes([scan(-1 / R, R)])
    assert "change the baseline 'zbl 1.0 2.0'" in remedy(holes, ("Mg",), training.generation.baseline, {})
    assert describe_holes(None) == "not searched for holes"


def test_search_without_a_reference_has_pairs_only() -> None:
    scans = search(calculator_sampler(EMT), ["Cu"], 5.0, {}, None)
    assert [scan.name for scan in scans] == ["Cu–Cu in vacuum"]
