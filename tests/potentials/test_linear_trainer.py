from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from acemaker.errors import ConfigError, StructureError
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.environment import environment
from acemaker.potentials.evaluator import Evaluator, evaluator_of
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.guard import compare, reason_to_reject
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.potentials.pyace_library import load_pyace
from acemaker.results import Training
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis

ORACLE = CalculatorOracle.from_config(MISHIN, ("Cu",))


def labels(n: int, scale: float = 0.12, seed: int = 0) -> list[Atoms]:
    return [ORACLE.label(atoms) for atoms in rattled(copper(), n, scale, seed)]


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


def test_the_fit_is_good_and_says_how_good(tmp_path: Path) -> None:
    trainer = LinearTrainer(small_basis(30, 5.0), ["Cu"])
    training = train(trainer, tmp_path, labels(6))
    assert training.accepted
    assert training.train_errors.forces < 40  # meV/Å, of forces around 1,000
    assert training.cv_errors is not None
    assert training.cv_errors.forces > training.train_errors.forces
    atoms = labels(1, seed=5)[0]
    atoms_with = atoms.copy()
    atoms_with.calc = training.generation.calculator()
    error = 1e3 * np.sqrt(np.mean((atoms_with.get_forces() - atoms.get_forces()) ** 2))
    assert error < 3 * training.cv_errors.forces
    assert atoms_with.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=0.3)


def test_parity_is_label_and_prediction(tmp_path: Path) -> None:
    structures = labels(3)
    training = train(LinearTrainer(small_basis(), ["Cu"]), tmp_path, structures)
    evaluator = evaluator_of(training.generation)
    predicted = np.concatenate([evaluator.structure(atoms).forces.ravel() for atoms in structures])
    assert training.forces[:, 0] == pytest.approx(np.concatenate([a.get_forces().ravel() for a in structures]))
    assert training.forces[:, 1] == pytest.approx(predicted, abs=1e-8)
    energy = evaluator.structure(structures[0]).energy / 32 + training.generation.reference_energies["Cu"]
    assert training.energies[0] == pytest.approx([structures[0].get_potential_energy() / 32, energy], abs=1e-8)


def test_a_restored_trainer_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    groups = [labels(3), labels(1, 0.2, 1), labels(2, 0.25, 2)]
    one = LinearTrainer(small_basis(), ["Cu"])
    generation = None
    for group in groups:
        generation = train(one, tmp_path / "one", group, generation, group[0]).generation
    two = LinearTrainer(small_basis(), ["Cu"])
    two.restore(groups[:2])
    again = train(two, tmp_path / "two", groups[2], read_generation(tmp_path / "one", 2), groups[2][0])
    assert generation is not None
    assert again.generation.yaml.read_bytes() == generation.yaml.read_bytes()
    assert again.generation.cv_forces == generation.cv_forces
    assert again.comparison.before > 0


def test_a_refit_evaluates_what_is_new_alone(tmp_path: Path, evaluated: list[int]) -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    first = train(trainer, tmp_path, labels(6))
    evaluated.clear()
    train(trainer, tmp_path, labels(2, seed=1), first.generation)
    assert len(evaluated) == 2


def test_reference_energies_are_pinned(tmp_path: Path) -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    first = train(trainer, tmp_path, labels(3)).generation
    second = train(trainer, tmp_path, labels(1, 0.3, 4), first).generation
    assert second.reference_energies == first.reference_energies
    given = LinearTrainer(small_basis().model_copy(update={"reference_energies": {"Cu": -3.0}}), ["Cu"])
    assert train(given, tmp_path / "given", labels(3)).generation.reference_energies == {"Cu": -3.0}


def test_a_missing_reference_energy_is_named() -> None:
    config = small_basis().model_copy(update={"reference_energies": {"Cu": -3.0}})
    with pytest.raises(ConfigError, match="no value for Ni"):
        LinearTrainer(config, ["Cu", "Ni"])


def shuffled(label: Atoms, factor: float) -> Atoms:
    """Give a label the forces of other atoms."""
    assert label.calc is not None
    label.calc.results["forces"] = factor * np.roll(label.calc.results["forces"], 5, axis=0)
    return label


@pytest.mark.parametrize("n", [2, 3, 8, 20])
def test_the_guard_sees_a_wrong_label_and_no_other(tmp_path: Path, n: int) -> None:
    """From two labels on, and although the honest one lies far outside."""
    basis = small_basis(30, 5.0)
    ratios = []
    for factor in (None, 1.0, 30.0):
        trainer = LinearTrainer(basis, ["Cu"])
        first = train(trainer, tmp_path, labels(n)).generation
        new = labels(1, 0.2, seed=20)[0]
        training = train(trainer, tmp_path, [shuffled(new, factor) if factor else new], first)
        assert training.accepted == (factor is None), training.reason
        assert ("degrade the fit" in training.reason) == (factor is not None)
        ratios.append(training.comparison.ratio)
    assert ratios[0] < ratios[1] < ratios[2]


def test_after_a_wrong_label_the_next_fit_is_rejected_too(tmp_path: Path) -> None:
    """It stays among the labels: a good one beside it does not hide it, in this process or in the next."""
    trainer = LinearTrainer(small_basis(30, 5.0), ["Cu"])
    first = train(trainer, tmp_path, labels(4)).generation
    wrong, good = shuffled(labels(1, 0.2, seed=20)[0], 3.0), labels(1, 0.2, seed=21)
    assert not train(trainer, tmp_path, [wrong], first).accepted
    again = train(trainer, tmp_path, good, first)
    assert not again.accepted
    reopened = LinearTrainer(small_basis(30, 5.0), ["Cu"])
    reopened.restore([labels(4), [wrong]])
    assert train(reopened, tmp_path, good, read_generation(tmp_path, 1)).comparison == again.comparison


def test_the_comparison_is_over_the_structures_that_both_know(tmp_path: Path) -> None:
    """Leaving new structures out of the errors gives what errors on the old ones alone give."""
    config = small_basis()
    trainer = LinearTrainer(config, ["Cu"])
    old, new = labels(4), labels(2, 0.2, seed=9)
    first = train(trainer, tmp_path, old).generation
    comparison = train(trainer, tmp_path, new, first).comparison
    squares = []
    for fold in range(4):  # five folds: the new structures are in the last and in the first
        others = [atoms for number, atoms in enumerate([*old, *new]) if number % config.cv_folds != fold]
        apart = LinearTrainer(config.model_copy(update={"reference_energies": first.reference_energies}), ["Cu"])
        generation = train(apart, tmp_path / str(fold), others).generation
        errors = evaluator_of(generation).structure(old[fold]).forces - old[fold].get_forces()
        squares.append(1e6 * np.mean(errors**2))
    assert comparison.after == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
    assert comparison.before == pytest.approx(first.cv_forces)


def test_the_guards_words() -> None:
    config, finite = small_basis(), np.ones(3)
    worse = compare((9.0, 9.0, 9.0, None), (9.0, 50.0, 60.0, 70.0))
    assert worse.ratio == pytest.approx(50 / 9)
    assert reason_to_reject(config, finite, compare((9.0, 9.0), (40.0, 44.0)), 1.0, 2.0) == ""
    assert "rose from 9 to 45.4 meV/Å (by a factor of 5.56 in the median fold" in reason_to_reject(
        config, finite, worse, 1.0, 2.0
    )
    assert "still has gamma 2.5" in reason_to_reject(config, finite, compare((), ()), 2.5, 2.0)
    assert "not finite" in reason_to_reject(config, np.array([np.nan]), compare((), ()), 1.0, 2.0)
    assert np.isnan(compare((1.0, 2.0), (1.0, 2.0, 3.0)).ratio), "another number of folds cannot be compared"
    assert reason_to_reject(config, finite, compare((), ()), float("nan"), 2.0) == ""


def test_a_generation_in_memory_is_the_one_on_disk(tmp_path: Path) -> None:
    """The evaluator made without parsing the file gives the same bits as that of a process that reads it."""
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    trainer = LinearTrainer(small_basis(), ["Cu", "Ni"])
    generation = train(trainer, tmp_path, [oracle.label(atoms) for atoms in rattled(alloy(), 5)]).generation
    kept = evaluator_of(generation)
    read = Evaluator(str(generation.yaml), generation.asi, generation.elements, generation.cutoff)
    atoms = rattled(alloy(), 1, 0.2, seed=4)[0]
    env = environment(atoms, generation.elements, generation.cutoff)
    for kind in ("graded", "fast"):
        ours, theirs = getattr(kept, kind)(env), getattr(read, kind)(env)
        assert ours.energy == theirs.energy
        assert (ours.forces == theirs.forces).all()
        assert (ours.virial == theirs.virial).all()
    assert (kept.graded(env).gamma == read.graded(env).gamma).all()


def test_a_low_threshold_does_not_reject_what_was_trained_on() -> None:
    assert reason_to_reject(small_basis(), np.ones(3), compare((1.0,), (1.0,)), 1.0005, 0.05) == ""


def test_the_anchor_is_inside_after_training(tmp_path: Path) -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    first = train(trainer, tmp_path, labels(3)).generation
    halted = labels(1, 0.2, 8)[0]
    gamma = evaluator_of(first).structure(halted).gamma
    assert gamma is not None
    assert gamma.max() > 2
    training = train(trainer, tmp_path, [halted], first, halted)
    assert training.halted_gamma < 1.01
    after = evaluator_of(training.generation).structure(halted).gamma
    assert after is not None
    assert after.max() == pytest.approx(training.halted_gamma, rel=1e-6)


def test_grading_agrees_with_the_evaluator(tmp_path: Path) -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    assert np.isnan(trainer.grade([copper()]).gamma_max).all()
    generation = train(trainer, tmp_path, labels(3)).generation
    atoms = labels(1, 0.2, 3)[0]
    gamma = evaluator_of(generation).structure(atoms).gamma
    assert gamma is not None
    assert trainer.grade([atoms]).gamma_max == pytest.approx([gamma.max()], rel=1e-8)


def test_a_structure_that_lacks_an_element(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="has no Ni"):
        LinearTrainer(small_basis(), ["Cu", "Ni"]).minimum_structures(copper())


def test_the_files_carry_the_generations_number_and_load_in_pyace(tmp_path: Path) -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    first = train(trainer, tmp_path, labels(3)).generation
    second = train(trainer, tmp_path, labels(1, 0.2, 1), first).generation
    assert second.yace.name == "potential_v2.yace"
    described = json.loads((tmp_path / "potential_v2.json").read_text())
    assert described["number"] == 2
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob("writing*"))
    atoms = labels(1, seed=3)[0]
    calculator = load_pyace().PyACECalculator(str(second.yace), recursive_evaluator=True)
    tilde = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True, calculator=calculator)
    result = evaluator_of(second).structure(atoms)
    assert tilde.get_potential_energy() == pytest.approx(result.energy, abs=1e-9)
    assert tilde.get_forces() == pytest.approx(result.forces, abs=1e-9)


def test_the_files_load_in_lammps_with_ml_pace(tmp_path: Path, native_lammps: str) -> None:
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    trainer = LinearTrainer(small_basis(), ["Cu", "Ni"])
    generation = train(trainer, tmp_path, [oracle.label(atoms) for atoms in rattled(alloy(), 5)]).generation
    atoms = rattled(alloy(), 1, 0.2, seed=4)[0]
    cell, _ = atoms.cell.standard_form()
    atoms.set_cell(cell, scale_atoms=True)
    from ase.io import write

    write(tmp_path / "atoms.data", atoms, format="lammps-data", specorder=["Cu", "Ni"], masses=True)
    outcomes = {}
    for style, files in (
        ("pace", generation.yace.name),
        ("pace/extrapolation", f"{generation.yaml.name} {generation.asi.name}"),
    ):
        graded = style == "pace/extrapolation"
        script = f"""units metal
atom_style atomic
boundary p p p
atom_modify map array sort 0 0
read_data atoms.data
pair_style {style}
pair_coeff * * {files} Cu Ni
{"fix gamma all pair 1 pace/extrapolation gamma 1" if graded else ""}
dump out all custom 1 out.dump id fx fy fz {"f_gamma" if graded else ""}
dump_modify out sort id format float %.15g
thermo_style custom step pe
thermo_modify format float %.15g
run 0
print "energy $(pe:%.15g)" file energy.txt
"""
        (tmp_path / "in.lmp").write_text(script)
        command = [*shlex.split(native_lammps), "-in", "in.lmp"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        energy = float((tmp_path / "energy.txt").read_text().split()[1])
        outcomes[style] = (energy, np.loadtxt(tmp_path / "out.dump", skiprows=9))
    said = evaluator_of(generation).structure(atoms)
    assert said.gamma is not None
    for energy, table in outcomes.values():
        assert energy == pytest.approx(said.energy, abs=1e-8)
        assert table[:, 1:4] == pytest.approx(said.forces, abs=1e-8)
    assert outcomes["pace/extrapolation"][1][:, 4] == pytest.approx(said.gamma, rel=1e-6)
