"""Signs and units of forces and stresses, seen from the labels alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from acemaker.structures.consistency import consistency
from tests.conftest import alloy, copper, rattled

Change = Callable[[dict[str, np.ndarray], np.random.Generator], dict[str, np.ndarray]]


def unchanged(results: dict[str, np.ndarray], _: np.random.Generator) -> dict[str, np.ndarray]:
    return results


def labels(atoms: Atoms, change: Change = unchanged, *, strain: bool = True, n: int = 6) -> list[Atoms]:
    """Label structures near to each other, with results changed as a faulty oracle would."""
    rng, made = np.random.default_rng(1), []
    for structure in rattled(atoms, n, scale=0.06):
        if not strain:
            structure.set_cell(atoms.cell, scale_atoms=True)
        right = with_emt(structure)
        right.calc = SinglePointCalculator(right, **change(dict(right.calc.results), rng))
        made.append(right)
    return made


def with_emt(atoms: Atoms) -> Atoms:
    work = atoms.copy()
    work.calc = EMT()
    results = {"energy": work.get_potential_energy(), "forces": work.get_forces()}
    if work.pbc.all():
        results["stress"] = work.get_stress()
    work.calc = SinglePointCalculator(work, **results)
    return work


def scaled(name: str, factor: float) -> Change:
    return lambda results, _: {**results, name: results[name] * factor}


def without_stress(results: dict[str, np.ndarray], _: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: value for name, value in results.items() if name != "stress"}


@pytest.mark.parametrize("atoms", [copper(), alloy(), molecule("C6H6")], ids=["copper", "triclinic alloy", "molecule"])
@pytest.mark.parametrize("strain", [True, False])
def test_what_is_right_is_not_complained_of(atoms: Atoms, strain: bool) -> None:
    found = consistency(labels(atoms, strain=strain and bool(atoms.pbc.all())))
    assert found.words() == ""
    assert found.n_pairs >= 2
    assert found.explained > 0.8


WRONG: dict[str, tuple[Change, str]] = {
    "sign": (scaled("forces", -1), "the forces have the wrong sign"),
    "atomic units": (scaled("forces", 1 / 51.422), "the forces look as if they were in Hartree/Bohr"),
    "Ry/Bohr": (scaled("forces", 1 / 25.711), "the forces look as if they were in Ry/Bohr"),
    "kcal/mol": (scaled("forces", 23.06), "the forces look as if they were in kcal/mol/Å"),
    "kJ/mol": (scaled("forces", 96.49), "the forces look as if they were in kJ/mol/Å"),
    "meV": (scaled("forces", 1e3), "the forces look as if they were in meV/Å"),
    "gradients in atomic units": (
        scaled("forces", -1 / 51.422),
        "the forces have the wrong sign and look as if they were in Hartree/Bohr",
    ),
    "seven": (scaled("forces", 1 / 7), "the forces are not the derivative of the energies, but would be if they were"),
    "noise": (
        lambda results, rng: {**results, "energy": results["energy"] + rng.normal(scale=20)},
        "the oracle may not be deterministic",
    ),
}


@pytest.mark.parametrize("atoms", [copper(), alloy()], ids=["copper", "alloy"])
@pytest.mark.parametrize("name", WRONG)
def test_forces_tell_their_sign_and_unit(atoms: Atoms, name: str) -> None:
    change, words = WRONG[name]
    assert words in consistency(labels(atoms, change, strain=False)).words()


@pytest.mark.parametrize(
    ("factor", "words"),
    [(-1, "the stresses have the wrong sign"), (160.2, "the stresses are in another unit"), (1602, "GPa say")],
)
def test_stresses_tell_their_sign_and_unit(factor: float, words: str) -> None:
    assert words in consistency(labels(copper(), scaled("stress", factor))).words()


def test_without_stress_strained_cells_say_nothing() -> None:
    assert consistency(labels(copper(), without_stress)).n_pairs == 0
    assert consistency(labels(copper(), without_stress, strain=False)).words() == ""


def test_structures_that_cannot_be_compared() -> None:
    assert consistency([]).words() == ""
    far = labels(copper(), n=2) + labels(alloy(), n=2)
    far[0].positions[0] += 1.2
    assert consistency(far[:1] + far[2:3]).n_pairs == 0
    assert consistency(far[:2]).n_pairs == 0
