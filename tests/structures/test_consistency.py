"""Signs and units of forces and stresses, detected from the labels alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
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
    assert found.diagnosis() == ""
    assert found.n_pairs >= 2
    assert found.explained > 0.8


WRONG: dict[str, tuple[Change, str]] = {
    "sign": (scaled("forces", -1), "the forces have the wrong sign"),
    "atomic units": (scaled("forces", 1 / 51.422), "another atomic unit"),
    "Ry/Bohr": (scaled("forces", 1 / 25.711), "another atomic unit"),
    "kcal/mol": (scaled("forces", 23.06), "the forces are probably in kcal/mol/Å"),
    "kJ/mol": (scaled("forces", 96.49), "the forces are probably in kJ/mol/Å"),
    "meV": (scaled("forces", 1e3), "the forces are probably in meV/Å"),
    "gradients in atomic units": (
        scaled("forces", -1 / 51.422),
        "the forces have the wrong sign and are probably in ",
    ),
    "seven": (scaled("forces", 1 / 7), "the forces are not the derivatives of the energies, but would be if they were"),
    "noise": (
        lambda results, rng: {**results, "energy": results["energy"] + rng.normal(scale=20)},
        "the oracle may not be deterministic",
    ),
}


@pytest.mark.parametrize("atoms", [copper(), alloy()], ids=["copper", "alloy"])
@pytest.mark.parametrize("name", WRONG)
def test_forces_tell_their_sign_and_unit(atoms: Atoms, name: str) -> None:
    change, words = WRONG[name]
    assert words in consistency(labels(atoms, change, strain=False)).diagnosis()


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1, "the stresses have the wrong sign"),
        (160.2, "the stresses are not in eV/Å^3"),
        (1602, "in GPa, for example"),
    ],
)
def test_stresses_tell_their_sign_and_unit(factor: float, words: str) -> None:
    assert words in consistency(labels(copper(), scaled("stress", factor))).diagnosis()


GOLD = bulk("Au", "fcc", a=4.08, cubic=True).repeat(2)
GOLD.symbols[::2] = "Cu"


@pytest.mark.parametrize("scale", [0.001, 0.02, 0.05, 0.15])
@pytest.mark.parametrize(
    "atoms",
    [GOLD, bulk("Cu", "fcc", a=3.98, cubic=True).repeat(2), bulk("Cu", "fcc", a=3.3, cubic=True).repeat(2)],
    ids=["other alloy", "stretched", "compressed"],
)
@pytest.mark.parametrize("strain", [0.0, 0.008])
def test_nobody_is_accused_for_anharmonic_forces(atoms: Atoms, scale: float, strain: float) -> None:
    """Correct labels, far from where forces are linear, or so near to each other that energies say nothing."""
    for seed in range(4):
        rng, made = np.random.default_rng(seed), []
        for factor in np.linspace(-strain, strain, 6):
            copy = atoms.copy()
            copy.set_cell(copy.cell * (1 + factor), scale_atoms=True)
            copy.positions += rng.normal(scale=scale, size=copy.positions.shape)
            made.append(with_emt(copy))
        assert consistency(made).diagnosis() == ""


def test_shifted_crystals_and_dimers_say_nothing() -> None:
    shifted = []
    for shift in (0.0, 0.1, 0.2):
        atoms = copper()
        atoms.positions += shift
        shifted.append(with_emt(atoms))
    assert consistency(shifted).diagnosis() == ""
    dimers = [with_emt(Atoms("Cu2", [[0, 0, 0], [0, 0, distance]])) for distance in np.arange(1.4, 4.0, 0.2)]
    assert consistency(dimers).diagnosis() == ""


def test_forces_in_another_order_are_seen() -> None:
    def rolled(results: dict[str, np.ndarray], _: np.random.Generator) -> dict[str, np.ndarray]:
        return {**results, "forces": np.roll(results["forces"], 1, axis=0)}

    assert "another order of atoms" in consistency(labels(copper(), rolled, strain=False)).diagnosis()


def test_without_stress_strained_cells_say_nothing() -> None:
    assert consistency(labels(copper(), without_stress)).n_pairs == 0
    assert consistency(labels(copper(), without_stress, strain=False)).diagnosis() == ""


def test_structures_that_cannot_be_compared() -> None:
    assert consistency([]).diagnosis() == ""
    far = labels(copper(), n=2) + labels(alloy(), n=2)
    far[0].positions[0] += 1.2
    assert consistency(far[:1] + far[2:3]).n_pairs == 0
    assert consistency(far[:2]).n_pairs == 0
