"""Atoms that do not count do not influence the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from acemaker.errors import StructureError
from acemaker.labeling.backend import InlineBackend
from acemaker.labeling.collector import Collector
from acemaker.labeling.job import FinishedLabels, Job, LabelFailure
from acemaker.labeling.request import LabelRequest
from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.evaluator import evaluator_of
from acemaker.potentials.generation import Generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.results import Training
from acemaker.structures.bonds import TrainedDistances
from acemaker.structures.files import as_written, write_structures
from acemaker.structures.mask import energy_counts, mask_of, stress_counts, with_mask_of
from tests.conftest import MISHIN, copper, rattled, small_basis

ORACLE = CalculatorOracle.from_config(MISHIN, ("Cu",))
FIRST = 8
"""Atoms that count in the masked structures of these tests."""


def labels(n: int, seed: int = 0) -> list[Atoms]:
    return [ORACLE.label(atoms) for atoms in rattled(copper(), n, seed=seed)]


def masked(atoms: Atoms, n: int = FIRST, *, energy: bool = False, stress: bool = False) -> Atoms:
    made = atoms.copy()
    made.calc = atoms.calc
    made.arrays["mask"] = np.arange(len(atoms)) < n
    made.info |= {"energy_counts": energy, "stress_counts": stress}
    return made


def train(directory: Path, groups: list[list[Atoms]], halted: Atoms | None = None) -> tuple[Training, LinearTrainer]:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    generation: Generation | None = None
    for number, group in enumerate(groups, start=1):
        training = trainer.train(
            group, number=number, directory=directory, predecessor=generation, halted=halted, gamma_limit=2.0
        )
        generation = training.generation
    return training, trainer


def coefficients(training: Training) -> bytes:
    return training.generation.coefficients().tobytes()


def smallest(atoms: Atoms) -> float:
    """Smallest distance around the atoms that count."""
    trained = TrainedDistances(5.0)
    trained.add(atoms)
    return trained.smallest


def test_a_mask_of_all_atoms_changes_no_bit(tmp_path: Path) -> None:
    structures = labels(4)
    one, _ = train(tmp_path / "one", [structures])
    two, _ = train(tmp_path / "two", [[masked(atoms, 32, energy=True, stress=True) for atoms in structures]])
    assert coefficients(one) == coefficients(two)
    assert one.generation.asi.read_bytes() == two.generation.asi.read_bytes()
    assert one.cv_errors == two.cv_errors


@pytest.mark.parametrize("what", ["forces", "energy", "stress"])
def test_what_is_masked_may_be_anything(tmp_path: Path, what: str) -> None:
    whole, extra = labels(4), masked(labels(1, seed=3)[0])
    wrong = masked(extra)
    assert extra.calc is not None
    results = {name: np.copy(value) for name, value in extra.calc.results.items()}
    if what == "forces":
        results["forces"][FIRST:] += 50.0
    else:
        results[what] = results[what] + 100.0
    wrong.calc = SinglePointCalculator(wrong, **results)
    one, _ = train(tmp_path / "one", [whole, [extra]])
    two, _ = train(tmp_path / "two", [whole, [wrong]])
    assert coefficients(one) == coefficients(two)
    assert (one.train_errors, one.forces.tolist()) == (two.train_errors, two.forces.tolist())
    assert one.forces.shape == (3 * FIRST, 2)
    assert one.energies.shape == (0, 2)
    assert one._repr_html_() == two._repr_html_()
    one.figure().savefig(tmp_path / "parity.png")


def test_core_forces_do_count_and_so_do_energy_and_stress_where_they_are_said_to(tmp_path: Path) -> None:
    whole, extra = labels(4), labels(1, seed=3)[0]
    base, _ = train(tmp_path / "base", [whole])
    core, _ = train(tmp_path / "core", [whole, [masked(extra)]])
    energy, _ = train(tmp_path / "energy", [whole, [masked(extra, energy=True)]])
    stress, _ = train(tmp_path / "stress", [whole, [masked(extra, stress=True)]])
    assert len({coefficients(training) for training in (base, core, energy, stress)}) == 4
    assert energy.energies.shape == (1, 2)
    assert stress.energies.shape == (0, 2)
    # a mean over counted components: as large as that of a whole structure with the same errors
    trainer = train(tmp_path / "rows", [whole])[1]
    part, all_of_it = (trainer._add([atoms])[0].matrices["forces"] for atoms in (masked(extra), extra))
    assert part.shape[0] == 3 * FIRST
    assert np.allclose(part * np.sqrt(3 * FIRST), all_of_it[: 3 * FIRST] * np.sqrt(3 * 32))


def test_the_pressure_rests_on_the_stress_of_small_cells(tmp_path: Path) -> None:
    def swollen(structures: list[Atoms], factors: tuple[float, ...]) -> list[Atoms]:
        for atoms, factor in zip(structures, factors, strict=True):
            atoms.set_cell(factor * atoms.cell, scale_atoms=True)
        return [ORACLE.label(atoms) for atoms in structures]

    small = swollen(rattled(copper(), 4, seed=5), (1.02, 1.04, 1.06, 1.08))
    unseen = swollen(rattled(copper(), 2, seed=9), (1.05, 1.07))

    def pressure_error(stress: bool) -> float:
        training, _ = train(tmp_path / f"{stress}", [labels(4), [masked(atoms, 12, stress=stress) for atoms in small]])
        evaluator = evaluator_of(training.generation)
        said = [evaluator.structure(atoms).virial[:3].mean() / atoms.get_volume() for atoms in unseen]
        return max(abs(one - atoms.get_stress()[:3].mean()) / GPa for one, atoms in zip(said, unseen, strict=True))

    assert pressure_error(stress=True) < 0.2 * pressure_error(stress=False)


def test_masked_environments_stay_out_of_the_active_set(tmp_path: Path) -> None:
    strange = copper()
    strange.rattle(0.05, seed=7)
    strange.positions[-1] += [0.0, 0.5, 0.4]  # squeezed against its neighbors
    near = strange.get_distances(len(strange) - 1, range(len(strange)), mic=True) < 4.1
    far = np.flatnonzero(~near)
    assert len(far) >= 4
    labeled = ORACLE.label(strange)
    part = labeled.copy()
    part.calc = labeled.calc
    part.arrays["mask"] = ~near
    part.info["energy_counts"] = False
    whole = labels(4)
    calm, trainer = train(tmp_path / "calm", [whole, [part]], halted=part)
    assert calm.halted_gamma <= 1.01
    assert calm.accepted
    assert trainer.grade([part]).gamma_max[0] <= 1.01
    assert trainer.grade([strange]).gamma_max[0] > 2 * trainer.grade([part]).gamma_max[0]
    _, other = train(tmp_path / "other", [whole, [labeled]], halted=labeled)
    assert other.active_set is not None
    assert trainer.active_set is not None
    assert other.active_set.log_volume > trainer.active_set.log_volume
    assert trainer.rank([part, strange], 1, [0]).gains[1] > 0


def test_only_what_counts_is_counted() -> None:
    trainer = LinearTrainer(small_basis(), ["Cu"])
    assert trainer.minimum_structures(copper()) == 1
    assert trainer.minimum_structures(masked(copper())) == 2
    squeezed = copper()
    squeezed.positions[-1] += 0.4
    assert smallest(squeezed) < 2.5
    mask = squeezed.get_distances(len(squeezed) - 1, range(len(squeezed)), mic=True) > 4
    squeezed.arrays["mask"] = mask
    assert smallest(squeezed) == pytest.approx(3.615 / np.sqrt(2))


class NoSink:
    """Stores nothing."""

    def find(self, job: Job) -> None:
        return None

    def store(self, job: Job, labeled: Atoms) -> Atoms:
        return labeled

    def fail(self, job: Job, failure: LabelFailure) -> None:
        pytest.fail(failure.cause)


def test_masks_go_with_structures_through_files_and_oracles(tmp_path: Path) -> None:
    atoms = masked(rattled(copper(), 1)[0], energy=True, stress=True)
    written = write_structures(tmp_path / "a.extxyz", [atoms, copper()])
    assert np.array_equal(mask_of(written[0]), atoms.arrays["mask"])  # type: ignore[arg-type]
    assert energy_counts(written[0])
    assert stress_counts(written[0])
    assert mask_of(written[1]) is None
    assert energy_counts(written[1])
    assert np.array_equal(as_written(atoms).arrays["mask"], atoms.arrays["mask"])
    jobs = [Job(key=str(n), candidate=n, atoms=structure, finished="", label="") for n, structure in enumerate(written)]
    request = LabelRequest(jobs=jobs, selected=(0, 1), reserve=(), needed=2, max_retries=0, max_force=100.0)
    collector = Collector(request, InlineBackend(ORACLE), NoSink(), FinishedLabels(tmp_path))
    labeled = collector.label().labels
    assert np.array_equal(mask_of(labeled[0]), atoms.arrays["mask"])  # type: ignore[arg-type]
    assert energy_counts(labeled[0])
    assert stress_counts(labeled[0])
    assert np.isfinite(labeled[0].get_potential_energy())
    assert mask_of(labeled[1]) is None
    assert "mask" not in with_mask_of(written[1], written[0]).arrays


def test_masks_that_make_no_sense_are_refused() -> None:
    atoms = copper()
    atoms.arrays["mask"] = np.ones(len(atoms))
    with pytest.raises(StructureError, match="32 Boolean values, got float64"):
        mask_of(atoms)
    atoms.arrays["mask"] = np.zeros(len(atoms), dtype=bool)
    with pytest.raises(StructureError, match="is False for all 32 atoms"):
        mask_of(atoms)
