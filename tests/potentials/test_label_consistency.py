"""Labels from elsewhere: units, signs, zeros of energy and single wrong labels are found without the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from ase import Atoms

from acemaker.oracles.oracle import CalculatorOracle
from acemaker.potentials.label_consistency import Compared, Comparison, compare_labels
from acemaker.structures.computed import energy_of, forces_of, stress_of
from acemaker.structures.stress_units import convention_by_ratio
from tests.conftest import CUNI, MISHIN, alloy, copper, rattled, small_basis


@pytest.fixture(scope="module")
def labels() -> list[Atoms]:
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    return [oracle.label(atoms) for atoms in rattled(copper(), 6)]


@pytest.fixture(scope="module")
def hot() -> list[Atoms]:
    """Copper of one volume, as in a trajectory in NVT."""
    oracle, rng = CalculatorOracle.from_config(MISHIN, ("Cu",)), np.random.default_rng(1)
    structures = [copper() for _ in range(6)]
    for atoms in structures:
        atoms.positions += rng.normal(scale=0.2, size=atoms.positions.shape)
    return [oracle.label(atoms) for atoms in structures]


def compared(
    labels: Sequence[Atoms],
    *,
    source: int = 0,
    energy: float = 1.0,
    forces: float = 1.0,
    stress: float = 1.0,
    zero: float = 0,
) -> list[Compared]:
    return [
        Compared(
            atoms=atoms,
            energy=energy * energy_of(atoms) + zero * len(atoms),
            forces=forces * forces_of(atoms),
            stress=stress * stress_of(atoms),
            source=source,
            group="stress",
            name=f"{source}, {number}",
        )
        for number, atoms in enumerate(labels)
    ]


def comparison(labels: Sequence[Compared], elements: tuple[str, ...] = ("Cu",)) -> Comparison:
    return compare_labels(labels, small_basis(60, 5.0), elements, ["one.xyz", "two.xyz", "three.xyz"])


UNITS = [
    ({"energy": 1 / 27.2114}, "energies are in Hartree"),
    ({"energy": 1 / 13.6057}, "energies are in Rydberg"),
    ({"energy": 23.0605}, "energies are in kcal/mol"),
    ({"energy": 1 / 32}, "energies are per atom"),
    ({"forces": 1 / 51.4221}, "forces are in Hartree/bohr"),
    ({"forces": -1.0}, "they are gradients"),
    ({"energy": 1 / 27.2114, "forces": 1 / 51.4221}, "atomic units"),
]


@pytest.mark.parametrize(("factors", "words"), UNITS)
def test_wrong_units_and_signs_are_named(labels: list[Atoms], factors: dict[str, float], words: str) -> None:
    assert (
        words
        in comparison(compared(labels, energy=factors.get("energy", 1.0), forces=factors.get("forces", 1.0))).problem
    )


@pytest.mark.parametrize("factor", [1.0, -1.0, 160.2177, -1602.177])
def test_the_convention_of_stresses_is_found_at_one_and_at_many_volumes(
    labels: list[Atoms], hot: list[Atoms], factor: float
) -> None:
    for own in (labels, hot):
        found = comparison(compared(own, stress=factor))
        assert not found.problem
        assert not found.outliers
        assert found.stress_ratios[0, "stress"] == pytest.approx(1 / factor, rel=0.2)


def test_too_few_labels_determine_no_stress(labels: list[Atoms]) -> None:
    perfect = CalculatorOracle.from_config(MISHIN, ("Cu",)).label(copper())
    assert comparison(compared(labels[:1])).stress_ratios == {}
    found = comparison(compared(labels) + compared([perfect], source=1, stress=-1.0))
    assert (1, "stress") not in found.stress_ratios


def test_another_zero_of_energy_is_found_unless_the_composition_explains_it(
    labels: list[Atoms], hot: list[Atoms]
) -> None:
    problem = comparison(compared(labels) + compared(hot, source=1, zero=0.3)).problem
    assert "those of two.xyz are 0.3 eV/atom above those of one.xyz" in problem.replace("0.299", "0.3")
    assert not comparison(compared(labels) + compared(hot, source=1)).problem
    oracle = CalculatorOracle.from_config(CUNI, ("Cu", "Ni"))
    pure, mixed = ([oracle.label(atoms) for atoms in rattled(structure, 4)] for structure in (copper(), alloy()))
    assert not comparison(compared(pure) + compared(mixed, source=1), ("Cu", "Ni")).problem


def test_a_wrong_label_is_told_apart_from_an_unusual_one(labels: list[Atoms], hot: list[Atoms]) -> None:
    oracle = CalculatorOracle.from_config(MISHIN, ("Cu",))
    reversed_ = compared(hot[:1], forces=-1.0)
    shifted = compared(hot[1:2], zero=0.4)
    found = comparison([*compared(labels), *reversed_, *shifted, *compared(hot[2:])])
    assert set(found.outliers) == {6, 7}
    assert "forces contradict" in found.outliers[6]
    assert "energy is +0.4" in found.outliers[7].replace("+0.399", "+0.4").replace("+0.401", "+0.4")
    dense = copper()
    dense.set_cell(dense.cell * 0.85, scale_atoms=True)
    dense.rattle(0.1, seed=2)
    pair = Atoms("Cu2", [[0, 0, 0], [2.1, 0, 0]], cell=[12, 12, 12], pbc=True)
    unusual = [oracle.label(atoms) for atoms in (dense, pair)]
    strange = [
        Compared(
            atoms=atoms,
            energy=energy_of(atoms),
            forces=forces_of(atoms),
            stress=None,
            source=0,
            group="",
            name="strange",
        )
        for atoms in unusual
    ]
    assert not comparison([*compared(labels), *compared(hot), *strange]).outliers


def test_a_ratio_is_a_convention_or_none() -> None:
    assert convention_by_ratio("stress", -0.0006) == "-kbar"
    assert convention_by_ratio("virial", 0.9) == "eV/A^3"
    assert convention_by_ratio("virial", 0.006) is None
    assert convention_by_ratio("stress", float("nan")) is None
