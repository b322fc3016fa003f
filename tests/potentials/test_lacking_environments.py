"""Elements whose environments do not span their functions: dopants, adatoms and molecules."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule

from acemaker.config import OracleConfig, PotentialConfig
from acemaker.engines.native_check import evaluate
from acemaker.engines.preflight import preflight
from acemaker.errors import ConfigError, EngineError, StructureError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.active_set import ABSENT, SMALL, build_active_set, gamma_of
from acemaker.potentials.basis import Basis, fewer_functions
from acemaker.potentials.design import DesignBuilder
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.typical_values import typical_values
from acemaker.results import Training
from tests.conftest import rattled, small_basis

EMT = OracleConfig(oracle="emt")
BASIS = small_basis(30, 4.5)


def dopant(host: str = "Cu", element: str = "Ni", n: int = 1) -> Atoms:
    """One atom of an element in a crystal, or several neighbors."""
    atoms = bulk(host, cubic=True).repeat(2)
    neighbors = atoms.get_distances(0, range(len(atoms)), mic=True).argsort()
    atoms.symbols[neighbors[:n]] = element
    return atoms


def interstitial() -> Atoms:
    atoms = bulk("Pd", cubic=True).repeat(2)
    return atoms + Atoms("H", [[atoms.cell[0, 0] / 4, 0, 0]])


def adatom() -> Atoms:
    atoms = fcc111("Cu", (3, 3, 2), vacuum=6, periodic=True)
    add_adsorbate(atoms, "Al", 2.0, "fcc")
    return atoms


def labels(atoms: Atoms, n: int, scale: float = 0.08, seed: int = 0) -> list[Atoms]:
    oracle = CalculatorOracle.from_config(EMT, tuple(sorted(set(atoms.symbols))))
    if atoms.pbc.all():
        return [oracle.label(structure) for structure in rattled(atoms, n, scale, seed)]
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        copy = atoms.copy()
        copy.positions += rng.normal(scale=scale / 2, size=copy.positions.shape)
        made.append(oracle.label(copy))
    return made


def trained(
    directory: Path, structures: list[Atoms], config: PotentialConfig = BASIS, folder: Path | None = None
) -> tuple[LinearTrainer, Generation]:
    trainer = LinearTrainer(config, sorted(set(structures[0].symbols)), folder)
    return trainer, train(trainer, directory, structures).generation


def train(
    trainer: LinearTrainer,
    directory: Path,
    structures: list[Atoms],
    predecessor: Generation | None = None,
    halted: Atoms | None = None,
) -> Training:
    number = 1 if predecessor is None else predecessor.number + 1
    return trainer.train(
        structures, number=number, directory=directory, predecessor=predecessor, halted=halted, gamma_limit=2.0
    )


def gamma_everywhere(trainer: LinearTrainer, generation: Generation, atoms: Atoms) -> list[float]:
    """Gamma of a structure by the trainer, the evaluator of the engines, and the calculator."""
    plain = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    evaluated = evaluator_of(generation).structure(plain).gamma
    assert evaluated is not None
    grading = trainer.grade([plain])
    plain.calc = generation.calculator()
    plain.get_potential_energy()
    return [
        float(gamma)
        for gamma in (grading.gamma_max[0], grading.gamma[0].max(), evaluated.max(), plain.calc.results["gamma"].max())
    ]


SYSTEMS = {"Ni in Cu": dopant(), "Au in Ag": dopant("Ag", "Au"), "H in Pd": interstitial(), "Al on Cu": adatom()}


@pytest.mark.parametrize("name", SYSTEMS)
def test_functions_that_are_zero_on_all_labels_are_left_out(tmp_path: Path, name: str) -> None:
    atoms = SYSTEMS[name]
    structures = labels(atoms, 6)
    trainer, generation = trained(tmp_path, structures)
    assert trainer.active_set is not None
    rare = min(set(atoms.symbols), key=list(atoms.symbols).count)
    index = trainer.basis.elements.index(rare)
    start, end = trainer.basis.offsets[index : index + 2]
    blocks = np.vstack([DesignBuilder(trainer.basis).projections(label)[index] for label in structures])
    zero = ~blocks.any(axis=0)
    assert zero.any()
    assert not generation.coefficients()[start:end][zero].any()
    assert generation.coefficients()[start:end][~zero].any()
    absent = trainer.active_set.sources[index] == ABSENT
    assert (trainer.active_set.matrices[index][absent] != 0).any(axis=0)[zero].all()
    for label in structures:
        assert max(gamma_everywhere(trainer, generation, label)) < 1.01


@pytest.mark.parametrize(("host", "element"), [("Cu", "Ni"), ("Ag", "Au"), ("Al", "Cu")])
def test_a_pair_of_dopants_is_unknown_until_it_is_labeled(tmp_path: Path, host: str, element: str) -> None:
    trainer, first = trained(tmp_path, labels(dopant(host, element), 6))
    pair = labels(dopant(host, element, 2), 1, seed=9)[0]
    assert min(gamma_everywhere(trainer, first, pair)) > 1e3
    before = trainer.active_set
    assert before is not None
    training = train(trainer, tmp_path, [pair], first, pair)
    assert training.accepted, training.reason
    after = trainer.active_set
    assert after is not None
    assert after.log_volume > before.log_volume
    assert max(gamma_everywhere(trainer, training.generation, pair)) < 1.01
    index = trainer.basis.elements.index(element)
    assert (after.sources[index] == ABSENT).sum() < (before.sources[index] == ABSENT).sum()


def test_a_function_is_unknown_as_soon_as_it_is_not_zero(tmp_path: Path) -> None:
    """Two dopants just within the cutoff: their functions are tiny, but nothing is known of them."""
    trainer, generation = trained(tmp_path, labels(dopant(), 6))
    atoms = dopant()
    far = atoms.get_distances(0, range(len(atoms)), mic=True)
    other = int(np.flatnonzero(far > BASIS.cutoff)[0])
    atoms.symbols[other] = "Ni"
    apart = trainer.grade([atoms]).gamma_max[0]
    vector = atoms.get_distance(other, 0, mic=True, vector=True)
    atoms.positions[other] += vector * (1 - (BASIS.cutoff - 0.02) / np.linalg.norm(vector))
    assert trainer.grade([atoms]).gamma_max[0] > max(1e4, 10 * apart)
    assert min(gamma_everywhere(trainer, generation, atoms)) > 1e4


def test_a_function_that_has_appeared_counts_when_it_is_no_longer_negligible() -> None:
    """A contact at the cutoff is learned once, and not again at every larger value."""
    rows = np.array([[1.0, 0.0], [0.9, 0.0]])
    active = build_active_set(["Ni"], [2], [[rows]], lambda: [np.ones(2)])
    assert gamma_of([np.array([[1.0, 1e-9]])], active.inverses)[0] > 100
    appeared = active.extend([np.array([[1.0, 1e-6]])], source=1)
    assert appeared.log_volume > active.log_volume
    assert gamma_of([np.array([[1.0, 2e-4]])], appeared.inverses)[0] < 1.5
    assert gamma_of([np.array([[1.0, 1e-2]])], appeared.inverses)[0] > 5
    assert appeared.negligible[0].tolist() == [False, True]
    learned = appeared.extend([np.array([[1.0, 1e-2]])], source=2)
    assert learned.negligible[0].tolist() == [False, False]
    assert (learned.sources[0] > SMALL).all()


@pytest.mark.parametrize("name", ["N2", "H2O", "CO"])
def test_molecules_have_a_gamma_that_tells_what_is_known(tmp_path: Path, name: str) -> None:
    atoms = molecule(name)
    structures = labels(atoms, 12)
    trainer, generation = trained(tmp_path, structures)
    assert max(max(gamma_everywhere(trainer, generation, label)) for label in structures) < 1.01
    stretched = atoms.copy()
    stretched.positions *= 1.5
    assert min(gamma_everywhere(trainer, generation, stretched)) > 20


def test_lammps_agrees_on_gamma_of_filled_active_sets(tmp_path: Path, native_lammps: str) -> None:
    """In this process and by pair_style pace/extrapolation, with known and with unknown environments."""
    _, generation = trained(tmp_path, labels(dopant(), 6))
    evaluator = evaluator_of(generation)
    for number, unknown in ((1, False), (2, True)):
        atoms = labels(dopant(n=number), 1)[0]
        preflight(evaluator, atoms, 1.0)
        result = evaluate(shlex.split(native_lammps), generation, atoms, 1.0, tmp_path, 60.0)
        expected = evaluator.structure(result.atoms).gamma
        assert expected is not None
        assert result.gamma == pytest.approx(expected, rel=1e-6)
        assert (result.gamma.max() > 1e3) == unknown


def test_a_restored_trainer_has_the_same_active_set_and_fit(tmp_path: Path) -> None:
    groups = [labels(dopant(), 6), labels(dopant(n=2), 1, seed=9), labels(dopant(n=2), 1, 0.15, seed=10)]
    folder = tmp_path / "potentials"
    one, generation = trained(folder, groups[0], folder=folder)
    for group in groups[1:]:
        generation = train(one, folder, group, generation, group[0]).generation
    for directory in (folder, None):  # with and without the cache
        other = LinearTrainer(BASIS, ["Cu", "Ni"], directory)
        other.restore(groups, read_generation(folder, 3))
        assert one.active_set is not None
        assert other.active_set is not None
        for mine, theirs in zip(one.active_set.sources, other.active_set.sources, strict=True):
            assert mine.tolist() == theirs.tolist()
        assert (one._fit.solve() == other._fit.solve()).all()


def test_a_complete_element_has_no_filled_rows() -> None:
    basis = Basis.create(BASIS, ["Cu"])
    builder = DesignBuilder(basis)
    structures = rattled(bulk("Cu", cubic=True).repeat(2), 3)
    blocks = [builder.projections(atoms) for atoms in structures]
    strict = build_active_set(basis.elements, basis.n_functions, blocks)
    filled = build_active_set(basis.elements, basis.n_functions, blocks, lambda: typical_values(builder, structures))
    assert strict.matrices[0].tolist() == filled.matrices[0].tolist()
    assert strict.inverses[0].tolist() == filled.inverses[0].tolist()
    assert (filled.sources[0] > SMALL).all()


@pytest.mark.parametrize(("name", "fewest", "most"), [("Ni in Cu", 5, 12), ("H in Pd", 5, 12), ("Al on Cu", 5, 12)])
def test_a_rare_element_needs_few_first_structures(name: str, fewest: int, most: int) -> None:
    atoms = SYSTEMS[name]
    trainer = LinearTrainer(PotentialConfig(), sorted(set(atoms.symbols)))
    assert fewest <= trainer.minimum_structures(atoms) <= most
    assert trainer.lacks_environments


def test_a_crystal_needs_as_many_first_structures_as_before() -> None:
    trainer = LinearTrainer(PotentialConfig(), ["Cu"])
    assert trainer.minimum_structures(bulk("Cu", cubic=True).repeat(2)) == 4
    assert not trainer.lacks_environments


@pytest.mark.parametrize(
    "atoms", [Atoms("Cu"), Atoms("Ar2", [[0, 0, 0], [0, 0, 9]]), Atoms("HO", [[0, 0, 0], [9, 0, 0]])]
)
def test_atoms_without_neighbors_are_refused(atoms: Atoms) -> None:
    trainer = LinearTrainer(PotentialConfig(), sorted(set(atoms.symbols)))
    with pytest.raises(StructureError, match=r"no atom .* has a neighbor within the cutoff of 5.5 Å.* increase cutoff"):
        trainer.minimum_structures(atoms)


def test_a_lone_atom_beside_others_runs(tmp_path: Path) -> None:
    """Its gamma is zero, which is not an error of the installation."""
    atoms = fcc111("Cu", (3, 3, 2), vacuum=8, periodic=True)
    atoms += Atoms("Cu", [atoms.positions[-1] + [0, 0, 7.5]])
    trainer, generation = trained(tmp_path, labels(atoms, 4, 0.1))
    assert np.isfinite(preflight(evaluator_of(generation), atoms, 1.0)["gamma"])
    assert trainer.grade([atoms]).gamma[0][-1] == 0


def test_a_nearly_singular_fit_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, generation = trained(tmp_path, labels(dopant(), 3), BASIS)
    evaluator = evaluator_of(generation)
    real = type(evaluator).structure

    def noisy(self: object, atoms: Atoms) -> object:
        return real(evaluator, atoms).plus(1e-4 * len(atoms), np.full((len(atoms), 3), 1e-3), np.zeros((3, 3)))

    monkeypatch.setattr(type(evaluator), "structure", noisy)
    with pytest.raises(EngineError, match="reinstall those of pyproject"):
        preflight(evaluator, dopant(), 1.0)
    monkeypatch.setattr(type(evaluator), "amplification", lambda *_: (1e12, "Ni", 1.0, "Cu"))
    with pytest.raises(EngineError, match=r"nearly singular: the energy of an atom of Ni .*first_rattle") as raised:
        preflight(evaluator, dopant(), 1.0)
    assert "reinstall" not in str(raised.value)


def test_the_amplification_of_rounding_errors_is_the_sum_of_the_terms(tmp_path: Path) -> None:
    atoms = dopant()
    trainer, generation = trained(tmp_path, labels(atoms, 6))
    energy, symbol, gamma, _ = evaluator_of(generation).amplification(atoms)
    blocks = DesignBuilder(trainer.basis).projections(atoms)
    offsets, coefficients = trainer.basis.offsets, np.abs(generation.coefficients())
    sums = {
        element: float((np.abs(block) @ coefficients[offsets[index] : offsets[index + 1]]).max())
        for index, (element, block) in enumerate(zip(trainer.basis.elements, blocks, strict=True))
    }
    assert energy == pytest.approx(max(sums.values()), rel=1e-9)
    assert sums[symbol] == max(sums.values())
    assert gamma >= 1


ELEMENTS = ["Ag", "Al", "Au", "Cu", "Ni", "Pd"]


@pytest.mark.parametrize(("n_functions", "n_elements", "fewest"), [(15, 5, 16), (3, 3, 4), (1, 2, 2), (31, 6, 32)])
def test_too_few_functions_for_the_elements_are_refused(n_functions: int, n_elements: int, fewest: int) -> None:
    with pytest.raises(ConfigError, match=f"at least {fewest} functions per element for {n_elements} elements"):
        Basis.create(PotentialConfig(n_functions=n_functions), ELEMENTS[:n_elements])


@pytest.mark.parametrize("n_elements", [2, 3])
def test_the_fewest_functions_that_are_offered_are_accepted(n_elements: int) -> None:
    fewest = 2 ** (n_elements - 1)
    basis = Basis.create(PotentialConfig(n_functions=fewest), ELEMENTS[:n_elements])
    assert basis.n_functions == (fewest,) * n_elements


def test_sets_of_more_elements_than_an_atom_has_neighbors_need_no_functions() -> None:
    """Functions of two neighbors describe at most two other elements, which was a misleading error."""
    config = PotentialConfig(n_functions=16, nradmax_by_orders=(4, 2), lmax_by_orders=(0, 1))
    assert Basis.create(config, ELEMENTS[:4]).n_functions == (14,) * 4
    assert "14 functions per element of n_functions=16" in fewer_functions(config, ELEMENTS[:4])
