from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from acemaker.potentials.fit_cache import FILE, digest_of
from acemaker.potentials.generation import Generation, read_generation
from acemaker.potentials.linear_trainer import LinearTrainer
from acemaker.results import Training
from acemaker.utils.array_file import read_arrays, write_arrays
from tests.conftest import small_basis
from tests.potentials.test_linear_trainer import labels

GROUPS = [labels(3), labels(1, 0.2, 1), labels(2, 0.25, 2), labels(1, 0.22, 3)]


def trained(trainer: LinearTrainer, folder: Path, group: list[Atoms], before: Generation | None) -> Training:
    number = 1 if before is None else before.number + 1
    return trainer.train(
        group, number=number, directory=folder, predecessor=before, halted=group[0], gamma_limit=float("inf")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds what three of the four trainings left."""
    trainer, generation = LinearTrainer(small_basis(), ["Cu"], tmp_path), None
    for group in GROUPS[:3]:
        generation = trained(trainer, tmp_path, group, generation).generation
    return tmp_path


def reopened(folder: Path, groups: list[list[Atoms]], **changes: object) -> LinearTrainer:
    trainer = LinearTrainer(small_basis().model_copy(update=changes), ["Cu"], folder)
    trainer.restore(groups, read_generation(folder, len(groups)))
    return trainer


def test_what_was_learned_is_not_computed_again(folder: Path, evaluated: list[int], tmp_path: Path) -> None:
    trainer = reopened(folder, GROUPS[:3])
    assert len(evaluated) == len(GROUPS[2]), "only the last labels, which may not have been known to the campaign"
    fresh = LinearTrainer(small_basis(), ["Cu"])
    fresh.restore(GROUPS[:3])
    before = read_generation(folder, 3)
    one = trained(trainer, folder, GROUPS[3], before)
    other = trained(fresh, tmp_path / "fresh", GROUPS[3], before)
    assert one.generation.yaml.read_bytes() == other.generation.yaml.read_bytes()
    assert one.generation.asi.read_bytes() == other.generation.asi.read_bytes()
    assert one.generation.cv_folds == other.generation.cv_folds
    assert one.comparison == other.comparison
    structure = GROUPS[0][0].copy()
    structure.positions[0] += 0.9  # toward neighbors, and away from others
    assert trainer.explain(structure, [0]) == fresh.explain(structure, [0])
    assert trainer.active_set is not None
    assert fresh.active_set is not None
    assert np.array_equal(trainer.active_set.sources[0], fresh.active_set.sources[0])


def test_it_grows_in_processes_that_each_heal_once(folder: Path, evaluated: list[int]) -> None:
    trained(reopened(folder, GROUPS[:3]), folder, GROUPS[3], read_generation(folder, 3))
    evaluated.clear()
    reopened(folder, GROUPS)
    assert len(evaluated) == len(GROUPS[3])


def test_labels_of_a_rejected_fit_are_compared_again(folder: Path) -> None:
    before = read_generation(folder, 3)

    def next_comparison(trainer: LinearTrainer) -> object:
        return trained(trainer, folder / "again", labels(1, 0.2, 7), before).comparison

    going_on, opened, anew = (LinearTrainer(small_basis(), ["Cu"], place) for place in (folder, folder, None))
    going_on.restore(GROUPS[:3], before)
    opened.restore(GROUPS, before)  # the fourth training was rejected: its labels are there, its generation is not
    anew.restore(GROUPS, before)
    unknown = GROUPS[0][0].copy()
    unknown.positions[0] += 0.9
    rejected = going_on.train(
        GROUPS[3], number=4, directory=folder / "rejected", predecessor=before, halted=unknown, gamma_limit=1.0
    )
    assert not rejected.accepted
    assert next_comparison(going_on) == next_comparison(opened) == next_comparison(anew)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-2000]),
        lambda file: file.write_bytes(b"\0" * file.stat().st_size),
        lambda file: np.savez(file, identity=np.asarray("another")),
    ],
    ids=["missing", "empty", "cut off", "zeroed", "foreign"],
)
def test_a_damaged_file_costs_time_alone(spoil: Callable[[Path], None], folder: Path, evaluated: list[int]) -> None:
    spoil(folder / FILE)
    reopened(folder, GROUPS[:3])
    assert len(evaluated) == sum(map(len, GROUPS[:3]))


@pytest.mark.parametrize(
    "change",
    [
        {"groups": np.asarray(3.5)},
        {"labels": np.zeros(3, dtype=np.uint8)},
        {"state counts": np.zeros((2, 2))},
        {"state active Cu": np.eye(3)},
        {"state forces 0": np.zeros((4, 5))},
        {"state kinds": np.asarray("Cu")},
        {"state reference": None},
        {"identity": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_whole_file_of_something_else_is_left_alone(
    change: dict[str, np.ndarray | None], folder: Path, evaluated: list[int]
) -> None:
    arrays = read_arrays(folder / FILE)
    assert arrays is not None
    write_arrays(folder / FILE, {name: array for name, array in (arrays | change).items() if array is not None})
    trainer = reopened(folder, GROUPS[:3])
    assert len(evaluated) == sum(map(len, GROUPS[:3]))
    assert trained(trainer, folder, GROUPS[3], read_generation(folder, 3)).generation.n_structures == 7


def test_a_trainer_that_is_built_on_this_one_keeps_nothing(folder: Path, evaluated: list[int]) -> None:
    class Own(LinearTrainer):
        """It may learn more than is kept."""

    Own(small_basis(), ["Cu"], folder).restore(GROUPS[:3])
    assert len(evaluated) == sum(map(len, GROUPS[:3]))


def test_what_was_kept_is_not_written_again(folder: Path) -> None:
    trained(reopened(folder, GROUPS[:3]), folder, GROUPS[3], read_generation(folder, 3))
    before = (folder / FILE).stat().st_mtime_ns
    (folder / f"{FILE}.1.part").touch()  # of a process that was killed
    reopened(folder, GROUPS[:3])
    trained(reopened(folder, GROUPS[:3]), folder, GROUPS[3], read_generation(folder, 3))
    assert (folder / FILE).stat().st_mtime_ns == before
    trained(reopened(folder, GROUPS), folder, labels(1, 0.2, 8), read_generation(folder, 4))
    assert (folder / FILE).stat().st_mtime_ns > before
    assert not list(folder.glob("*.part"))


def test_flipped_bits_are_noticed_anywhere(folder: Path, evaluated: list[int]) -> None:
    content, rng = (folder / FILE).read_bytes(), np.random.default_rng(0)
    whole = reopened(folder, GROUPS[:3]).active_set
    for place in rng.integers(len(content), size=40):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        (folder / FILE).write_bytes(bytes(flipped))
        again = reopened(folder, GROUPS[:3]).active_set
        assert whole is not None
        assert again is not None
        assert np.array_equal(again.matrices[0], whole.matrices[0])


def test_other_labels_or_another_basis_are_learned_anew(folder: Path, evaluated: list[int]) -> None:
    reopened(folder, GROUPS[:3], cutoff=small_basis().cutoff + 0.1)
    assert len(evaluated) == sum(map(len, GROUPS[:3]))
    evaluated.clear()
    other = [GROUPS[0], labels(1, 0.2, 8), GROUPS[2]]
    reopened(folder, other)
    assert len(evaluated) == sum(map(len, other))


def test_all_that_is_learned_of_a_label_is_in_its_digest() -> None:
    def changed(what: str) -> Atoms:
        atoms = GROUPS[0][0].copy()
        atoms.calc = GROUPS[0][0].calc
        mask = np.arange(len(atoms)) > 0
        match what:
            case "positions":
                atoms.positions[3, 1] += 1e-12
            case "cell":
                atoms.cell[0, 0] += 1e-12
            case "species":
                atoms.symbols[0] = "Ni"
            case "mask":
                atoms.arrays["mask"] = mask
            case "weight":
                atoms.info["label_weight"] = 0.5
            case "energy counts":
                atoms.arrays["mask"] = mask
                atoms.info["energy_counts"] = True
            case "stress counts":
                atoms.arrays["mask"] = mask
                atoms.info["stress_counts"] = True
            case "energy" | "forces" | "stress":
                assert atoms.calc is not None
                atoms.calc = type(atoms.calc)(
                    atoms, **{k: v + 1e-12 if k == what else v for k, v in atoms.calc.results.items()}
                )
        return atoms

    counts = ("mask", "weight", "energy counts", "stress counts")
    kinds = ("nothing", "positions", "cell", "species", *counts, "energy", "forces", "stress")
    digests = [digest_of(changed(what)) for what in kinds]
    assert digests[0] == digest_of(GROUPS[0][0])
    assert len(set(digests)) == len(kinds)
